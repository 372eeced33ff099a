package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
)

// values returns the samples by name and label: "sds_channels", "name{content}".
func values(m *core.Manager) map[string]string {
	values := map[string]string{}
	for _, metric := range m.Stats().Metrics {
		for _, sample := range metric.Samples {
			name := metric.Name
			for _, value := range sample.Labels {
				name += "{" + value + "}"
			}
			values[name] = sample.Value.String()
		}
	}
	return values
}

// expectValues checks the samples that want names, and that all others that
// begin alike with one of prefixes are 0.
func expectValues(t *testing.T, m *core.Manager, want map[string]string, prefixes ...string) {
	t.Helper()
	for name, value := range values(m) {
		expected, named := want[name]
		if !named {
			if !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
				continue
			}
			expected = "0"
		}
		if value != expected {
			t.Errorf("%s is %s, not %s", name, value, expected)
		}
	}
}

// TestEveryMetricIsAlwaysThere with all its samples, in one order: a dashboard
// has no gaps.
func TestEveryMetricIsAlwaysThere(t *testing.T) {
	shape := func(m *core.Manager) []core.Metric {
		metrics := m.Stats().Metrics
		for i := range metrics {
			for j := range metrics[i].Samples {
				metrics[i].Samples[j].Value = ""
			}
		}
		return metrics
	}
	fresh, err := core.New(core.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	for name, value := range values(fresh) {
		if value != "0" {
			t.Errorf("at first, %s is %s", name, value)
		}
	}
	used := mixedSession(t, byProcedures, func(*peer) {}).alice
	if diff := cmp.Diff(shape(fresh), shape(used.Manager)); diff != "" {
		t.Error(diff)
	}
	used.Close()
	if diff := cmp.Diff(shape(fresh), shape(used.Manager)); diff != "" {
		t.Errorf("after Close: %s", diff)
	}
}

// TestPageOfMetricsHasThemAll, as they are.
func TestPageOfMetricsHasThemAll(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	m, err := core.New(core.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var rows []string
	for _, metric := range m.Stats().Metrics {
		labels := ""
		for i, sample := range metric.Samples {
			for label, value := range sample.Labels {
				if i == 0 {
					labels = "`" + label + "`: "
				} else {
					labels += ", "
				}
				labels += value
			}
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", metric.Name, metric.Type, labels, metric.Help))
	}
	var listed []string
	ours, _, _ := strings.Cut(string(page), "## Of the process") // that is the C library's
	for line := range strings.Lines(ours) {
		if strings.HasPrefix(line, "| `sds_") {
			listed = append(listed, strings.TrimSuffix(line, "\n"))
		}
	}
	if diff := cmp.Diff(rows, listed); diff != "" {
		t.Errorf("docs/metrics.md differs from the code:\n%s\nIts table is:\n%s", diff, strings.Join(rows, "\n"))
	}
}

// TestStatsCountWhatIsAnnounced, once, however it is kept: everything that
// happens in a session of all operations.
func TestStatsCountWhatIsAnnounced(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			session := mixedSession(t, keeping, func(*peer) {})
			announced := map[string]int{}
			for _, line := range session.protocol {
				name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
				announced[name]++
			}
			count := func(name string) string { return strconv.Itoa(announced[name]) }
			expectValues(t, session.alice.Manager, map[string]string{
				"sds_messages_wrapped_total{content}":     strconv.Itoa(len(session.alice.wrapped)),
				"sds_messages_wrapped_total{sync}":        "1",
				"sds_messages_wrapped_total{ephemeral}":   "1",
				"sds_messages_unwrapped_total{content}":   "8",
				"sds_messages_unwrapped_total{sync}":      "1",
				"sds_messages_unwrapped_total{ephemeral}": "0",
				"sds_messages_delivered_total":            count("message_ready"),
				"sds_messages_duplicate_total":            "2", // one was delivered, one waited
				"sds_messages_buffered_total":             "3",
				"sds_messages_acknowledged_total":         count("message_sent"),
				"sds_messages_resent_total":               count("resend_ready"),
				"sds_messages_failed_total":               count("message_delivery_failed"),
				"sds_repairs_answered_total":              count("repair_ready"),
				"sds_dependencies_lost_total":             count("dependencies_lost"),
				"sds_ticks_total":                         count("tick:"),
				"sds_events_dropped_total":                "0",
				"sds_events_waiting":                      "0",
				"sds_channels":                            "1",
				"sds_log_messages":                        strconv.Itoa(len(session.alice.inspect("c").Log)),
				"sds_outgoing_messages":                   strconv.Itoa(len(session.alice.inspect("c").Outgoing)),
				"sds_incoming_messages":                   "0",
				"sds_incoming_bytes":                      "0",
				"sds_incoming_oldest_seconds":             "0",
				"sds_met_dependencies":                    strconv.Itoa(len(session.alice.inspect("c").Met)),
				"sds_outgoing_repairs":                    strconv.Itoa(len(session.alice.inspect("c").OutgoingRepairs)),
				"sds_incoming_repairs":                    strconv.Itoa(len(session.alice.inspect("c").IncomingRepairs)),
				"sds_persistence_pending_changes":         "0",
				"sds_persistence_dirty_channels":          "0",
				"sds_filter_fill_ratio":                   strconv.FormatFloat(session.alice.inspect("c").Filter.Fill, 'f', -1, 64),
			}, "sds_payloads_refused_total", "sds_persistence_failures_total")
		})
	}
}

func TestStatsCountRepairsThatAreAskedFor(t *testing.T) {
	shared := newClock()
	alice, bob := newPeer(t, "alice", shared), newPeer(t, "bob", shared)
	for i := range 5 {
		bob.wrap("c", fmt.Sprint("lost", i))
	}
	alice.unwrap(bob.wrap("c", "b"))
	shared.advance(300_000)
	for _, asked := range []string{"3", "5"} { // 3 go into a message
		alice.wrap("c", "asking for "+asked)
		expectValues(t, alice.Manager, map[string]string{"sds_repairs_asked_total": asked, "sds_incoming_oldest_seconds": "300"})
	}
}

// TestStatsCountBytes of everything that is to be sent, and was received.
func TestStatsCountBytes(t *testing.T) {
	shared := newClock()
	changes := func(c *core.Config) { c.RepairTMinMs, c.RepairTMaxMs = 0, 0 } // asked for and answered at once
	alice, bob := newPeer(t, "alice", shared, changes), newPeer(t, "bob", shared, changes)
	alice.Tick(shared.read())
	want := map[string]int{}
	prefix := []byte("prefix")
	var last []byte
	for _, id := range []string{"lost", "m"} {
		payload, err := alice.Wrap(prefix, "c", id, []byte("content"))
		if err != nil {
			t.Fatal(err)
		}
		last = payload[len(prefix):]
		want["sds_sent_bytes_total{content}"] += len(last)
	}
	want["sds_sent_bytes_total{sync}"] = len(alice.wrapSync("c"))
	ephemeral, err := alice.WrapEphemeral(nil, "another", "e", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	want["sds_sent_bytes_total{ephemeral}"] = len(ephemeral)

	bob.unwrap(last)
	asking := bob.wrap("c", "asking")
	want["sds_received_bytes_total{content}"] = 2 * len(asking)
	alice.unwrap(asking)
	alice.unwrap(asking)
	bob.unwrap(ephemeral)
	shared.advance(70_000)
	alice.Tick(shared.read())
	for _, event := range alice.takeEvents() {
		switch event.Type {
		case core.ResendReady:
			want["sds_sent_bytes_total{resend}"] += len(event.Message)
		case core.RepairReady:
			want["sds_sent_bytes_total{repair}"] += len(event.Message)
		}
	}
	text := map[string]string{}
	for name, bytes := range want {
		text[name] = strconv.Itoa(bytes)
	}
	if len(want) != 6 {
		t.Errorf("not everything happens: %v", want)
	}
	expectValues(t, alice.Manager, text, "sds_sent_bytes_total", "sds_received_bytes_total")
	expectValues(t, bob.Manager, map[string]string{"sds_received_bytes_total{ephemeral}": strconv.Itoa(len(ephemeral)), "sds_messages_delivered_total": "1"})
}

// TestStatsCountRefusedPayloads by their reason, and nothing else with them.
func TestStatsCountRefusedPayloads(t *testing.T) {
	shared := newClock()
	bob := newPeer(t, "bob", shared)
	payload := bob.wrap("c", "m")
	bytes := strconv.Itoa(len(payload))
	for _, test := range []struct {
		name   string
		refuse func(alice *peer) error
		want   map[string]string
	}{
		{"not SDS", func(alice *peer) error { return errorOf(alice.Unwrap(payload[1:])) },
			map[string]string{"sds_payloads_refused_total{not_sds}": "1", "sds_received_bytes_total{refused}": strconv.Itoa(len(payload) - 1)}},
		{"limit", func(alice *peer) error {
			if err := alice.EnsureChannel("another"); err != nil {
				t.Error(err)
			}
			return errorOf(alice.Unwrap(payload))
		}, map[string]string{"sds_payloads_refused_total{limit}": "1", "sds_received_bytes_total{refused}": bytes, "sds_channels": "1"}},
		{"persistence", func(alice *peer) error {
			alice.faulty.FailFrom(1, persistence.LoadChannel)
			return errorOf(alice.Unwrap(payload))
		}, map[string]string{"sds_payloads_refused_total{persistence}": "1", "sds_received_bytes_total{refused}": bytes, "sds_persistence_failures_total{loadChannel}": "1"}},
		{"closed", func(alice *peer) error { alice.Close(); return errorOf(alice.Unwrap(payload)) }, nil},
		{"an operation of ours", func(alice *peer) error { return errorOf(alice.Wrap(nil, "c", "m", nil)) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			alice := newPeer(t, "alice", shared, func(c *core.Config) { c.Limits.MaxChannels = 1 })
			if err := test.refuse(alice); err == nil {
				t.Fatal("it is not refused")
			}
			expectValues(t, alice.Manager, test.want, "sds_payloads", "sds_received", "sds_messages", "sds_sent", "sds_channels")
		})
	}
}

// TestStatsCountCallsOfTheBackend as the backend sees them.
func TestStatsCountCallsOfTheBackend(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			alice := mixedSession(t, keeping, func(*peer) {}).alice
			alice.faulty.FailOnce(1)
			if err := alice.RemoveChannel("c"); err == nil {
				alice.wrapSync("c")
			}
			alice.wrapSync("c")
			if err := alice.RemoveChannel("c"); err != nil {
				t.Fatal(err)
			}
			made, failures := map[string]int{}, map[string]int{}
			for _, call := range alice.recorded.Calls() {
				name := call.Procedure.String()
				name = "{" + strings.ToLower(name[:1]) + name[1:] + "}"
				made[name]++
				if call.Err != nil {
					failures[name]++
				}
			}
			if len(failures) == 0 {
				t.Error("nothing fails")
			}
			want := map[string]string{}
			for name, n := range made {
				want["sds_persistence_calls_total"+name] = strconv.Itoa(n)
			}
			for name, n := range failures {
				want["sds_persistence_failures_total"+name] = strconv.Itoa(n)
			}
			expectValues(t, alice.Manager, want, "sds_persistence_calls_total", "sds_persistence_failures_total")
			for name, value := range values(alice.Manager) {
				procedure, isTime := strings.CutPrefix(name, "sds_persistence_seconds_total")
				if isTime && (value == "0") != (made[procedure] == 0) {
					t.Errorf("%s is %s for %d calls", name, value, made[procedure])
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		m, err := core.New(core.Options{Backend: persistence.None{}})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := m.Wrap(nil, "c", "m", []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := m.RemoveChannel("c"); err != nil {
			t.Fatal(err)
		}
		expectValues(t, m, nil, "sds_persistence")
	})
}

// panicking is a backend whose saves panic.
type panicking struct{ persistence.None }

func (panicking) SaveChannelMeta(string, []byte) error { panic("a defect of the host") }

func TestPanicOfTheBackendCountsAsAFailure(t *testing.T) {
	m, err := core.New(core.Options{Backend: panicking{}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there is no panic")
			}
		}()
		_, _ = m.Wrap(nil, "c", "m", []byte("x"))
	}()
	expectValues(t, m, map[string]string{
		"sds_persistence_calls_total{loadChannel}":        "1",
		"sds_persistence_calls_total{saveChannelMeta}":    "1",
		"sds_persistence_failures_total{saveChannelMeta}": "1",
	}, "sds_persistence_calls_total", "sds_persistence_failures_total")
}

// counterValues are the values that must never go back.
func counterValues(t *testing.T, m *core.Manager) map[string]uint64 {
	t.Helper()
	counters := map[string]uint64{}
	for _, metric := range m.Stats().Metrics {
		for _, sample := range metric.Samples {
			if metric.Type == core.Counter && !strings.Contains(metric.Name, "seconds") {
				n, err := strconv.ParseUint(sample.Value.String(), 10, 64)
				if err != nil {
					t.Error(err)
				}
				counters[fmt.Sprint(metric.Name, sample.Labels)] = n
			}
		}
	}
	return counters
}

func TestCountersOutliveTheirChannels(t *testing.T) {
	for name, end := range map[string]func(alice *peer) error{
		"remove": func(alice *peer) error { return errors.Join(alice.RemoveChannel("c"), alice.RemoveChannel("d")) },
		"reset":  func(alice *peer) error { return alice.Reset() },
		"close":  func(alice *peer) error { alice.Close(); alice.Close(); return nil },
		"all": func(alice *peer) error {
			defer alice.Close()
			return errors.Join(alice.RemoveChannel("c"), alice.Reset())
		},
	} {
		t.Run(name, func(t *testing.T) {
			alice := newPeer(t, "alice", newClock())
			bob := newPeer(t, "bob", newClock())
			for _, channelID := range []string{"c", "d"} {
				alice.wrap(channelID, "m")
				alice.unwrap(bob.wrap(channelID, "b"))
			}
			before := counterValues(t, alice.Manager)
			if err := end(alice); err != nil {
				t.Fatal(err)
			}
			after := counterValues(t, alice.Manager)
			maps.DeleteFunc(after, func(name string, _ uint64) bool { return strings.Contains(name, "dropChannel") })
			maps.DeleteFunc(before, func(name string, _ uint64) bool { return strings.Contains(name, "dropChannel") })
			if diff := cmp.Diff(before, after); diff != "" {
				t.Error(diff)
			}
			expectValues(t, alice.Manager, nil, "sds_channels", "sds_log", "sds_outgoing", "sds_incoming", "sds_met", "sds_filter")
			if name == "close" {
				return
			}
			if _, err := alice.Wrap(nil, "c", "again", []byte("x")); err == nil {
				expectValues(t, alice.Manager, map[string]string{"sds_messages_wrapped_total{content}": "3", "sds_log_messages": "1"})
			}
		})
	}
}

// TestCountersNeverGoBack while channels come and go.
func TestCountersNeverGoBack(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	const operations = 300
	var group, watching sync.WaitGroup
	done := make(chan struct{})
	watching.Go(func() {
		last := map[string]uint64{}
		for {
			now := counterValues(t, alice.Manager)
			for name, n := range last {
				if now[name] < n {
					t.Errorf("%s goes from %d back to %d", name, n, now[name])
				}
			}
			last = now
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for worker := range 2 {
		group.Go(func() {
			for i := range operations {
				alice.wrap("c", fmt.Sprint("m", worker, i))
				if i%3 == worker {
					if err := alice.RemoveChannel("c"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	close(done)
	watching.Wait()
	alice.Close()
	expectValues(t, alice.Manager, map[string]string{"sds_messages_wrapped_total{content}": strconv.Itoa(2 * operations)})
}

func TestStatsCountEventsThatNobodyTook(t *testing.T) {
	m, err := core.New(core.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.KeepEvents(2)
	bob := newPeer(t, "bob", newClock())
	for i := range 5 {
		if _, err := m.Unwrap(bob.wrap("c", fmt.Sprint("m", i))); err != nil {
			t.Fatal(err)
		}
	}
	expectValues(t, m, map[string]string{"sds_events_waiting": "2", "sds_events_dropped_total": "3"})
	m.NextEvent()
	m.Close()
	expectValues(t, m, map[string]string{"sds_events_waiting": "1", "sds_events_dropped_total": "3"})
}

// TestStatsAsJSON is what hosts of the C API read.
func TestStatsAsJSON(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	alice.wrap("c", "m")
	metrics := alice.Stats().Metrics
	text, err := json.Marshal(core.Stats{Metrics: metrics[:3:3]})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"metrics":[` +
		`{"name":"sds_messages_wrapped_total","type":"counter","help":"Messages of ours that were made into payloads.","samples":[` +
		`{"labels":{"kind":"content"},"value":1},{"labels":{"kind":"sync"},"value":0},{"labels":{"kind":"ephemeral"},"value":0}]},` +
		`{"name":"sds_messages_unwrapped_total","type":"counter","help":"Payloads that were messages and were taken in, copies included.","samples":[` +
		`{"labels":{"kind":"content"},"value":0},{"labels":{"kind":"sync"},"value":0},{"labels":{"kind":"ephemeral"},"value":0}]},` +
		`{"name":"sds_messages_delivered_total","type":"counter","help":"Messages of others that were delivered, at once or after waiting.","samples":[{"value":0}]}]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	if text, err = json.Marshal(alice.Stats()); err != nil || !json.Valid(text) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestCountingAllocatesNothing: an operation makes as many allocations as its
// step, the message's own.
func TestCountingAllocatesNothing(t *testing.T) {
	const runs = 200
	shared := newClock()
	manager := func(id string) *core.Manager {
		m, err := core.New(core.Options{ParticipantID: id, Handler: func(core.Event) {}, Now: shared.read})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return m
	}
	alice, bob := manager("alice"), manager("bob")
	content, buffer := make([]byte, 1024), make([]byte, 0, 64<<10)
	ids := make([]string, 2000)
	for i := range ids {
		ids[i] = fmt.Sprintf("%064d", i)
	}
	next := 0
	wrap := func(m *core.Manager, dst []byte) []byte {
		payload, err := m.Wrap(dst, "c", ids[next], content)
		if err != nil {
			t.Fatal(err)
		}
		next++
		return payload
	}
	for range 1200 { // a full log
		wrap(alice, buffer)
	}
	if got := testing.AllocsPerRun(runs, func() { wrap(alice, buffer) }); got > 2 {
		t.Errorf("a wrap makes %v allocations", got)
	}
	next = 0
	payloads := make([][]byte, 1000+2*runs)
	for i := range payloads {
		payloads[i] = wrap(bob, nil)
	}
	carol := manager("carol")
	take := func() {
		if _, err := carol.Unwrap(payloads[0]); err != nil {
			t.Fatal(err)
		}
		payloads = payloads[1:]
	}
	for range 1100 {
		take()
	}
	if got := testing.AllocsPerRun(runs, take); got > 3 {
		t.Errorf("an unwrap makes %v allocations", got)
	}
}
