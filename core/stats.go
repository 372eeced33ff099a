package core

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/persistence"
)

// Stats is what a manager counted since New, and how much it holds now, in the
// terms of Prometheus. The metrics, their samples and their order are always the
// same, whether or not there was anything to count; docs/metrics.md lists them.
type Stats struct {
	Metrics []Metric `json:"metrics"`
}

// Metric is one thing that is measured. Its unit is in its name.
type Metric struct {
	Name    string     `json:"name"`
	Type    MetricType `json:"type"`
	Help    string     `json:"help"`
	Samples []Sample   `json:"samples"`
}

// MetricType is how the values of a metric go together.
type MetricType string

// The types of metrics.
const (
	// Counter never goes back, until the manager is made anew.
	Counter MetricType = "counter"
	// Gauge is the value at the moment.
	Gauge MetricType = "gauge"
)

// Sample is one value of a metric; Labels, of which there is at most one, tell it
// from the others.
type Sample struct {
	Labels map[string]string `json:"labels,omitempty"`
	// Value is a decimal number without an exponent. It is text so that a count
	// is exact however large it is, and is printed as the whole number that it is.
	Value json.Number `json:"value"`
}

// metric is a row of the one table of what is measured: each value of the label
// has a sample, and read returns that of the ith. Without a label there is one.
type metric struct {
	name   string
	kind   MetricType
	help   string
	label  string
	values []string
	read   func(r *reading, i int) json.Number
}

// The values of the labels.
var (
	kindValues   = []string{KindContent.String(), KindSync.String(), KindEphemeral.String()}
	reasonValues = []string{refusedNotSDS: "not_sds", refusedLimit: "limit", refusedPersistence: "persistence"}
	procedures   = []persistence.Procedure{
		persistence.LoadChannel, persistence.SaveChannelMeta, persistence.UpdateHistory,
		persistence.DropChannel, persistence.SetRetrievalHint, persistence.Commit,
	}
	procedureValues = namesOf(procedures)
)

// namesOf returns the names that the C API has for procedures.
func namesOf(procedures []persistence.Procedure) []string {
	names := make([]string, len(procedures))
	for i, procedure := range procedures {
		method := procedure.String()
		names[i] = strings.ToLower(method[:1]) + method[1:]
	}
	return names
}

// counted is a metric that channels count.
func counted(name, help string, which counter) metric {
	return metric{name, Counter, help, "", nil, func(r *reading, _ int) json.Number { return whole(r.counts[which]) }}
}

// countedByKind is a metric that channels count for each kind of message.
func countedByKind(name, help string, content counter) metric {
	return metric{name, Counter, help, "kind", kindValues, func(r *reading, i int) json.Number { return whole(r.counts[content+counter(i)]) }}
}

// called is a metric of each procedure of the backend.
func called(name, help string, of func(*calls, persistence.Procedure) json.Number) metric {
	return metric{name, Counter, help, "procedure", procedureValues, func(r *reading, i int) json.Number { return of(r.calls, procedures[i]) }}
}

// held is a metric of what the manager holds at the moment.
func held(name, help string, value func(*reading) int) metric {
	return metric{name, Gauge, help, "", nil, func(r *reading, _ int) json.Number { return whole(uint64(value(r))) }}
}

var metrics = []metric{
	countedByKind("sds_messages_wrapped_total", "Messages of ours that were made into payloads.", wrappedContent),
	countedByKind("sds_messages_unwrapped_total", "Payloads that were messages and were taken in, copies included.", unwrappedContent),
	counted("sds_messages_delivered_total", "Messages of others that were delivered, at once or after waiting.", delivered),
	counted("sds_messages_duplicate_total", "Copies of messages that were delivered or waiting already.", duplicate),
	counted("sds_messages_buffered_total", "Messages that had to wait for missing dependencies.", buffered),
	counted("sds_messages_acknowledged_total", "Messages of ours that somebody is known to have received.", acknowledged),
	counted("sds_messages_resent_total", "Resends of messages of ours that nobody had acknowledged.", resent),
	counted("sds_messages_failed_total", "Messages of ours that were given up, after the last resend.", failed),
	counted("sds_repairs_asked_total", "Requests for missing messages that messages of ours carried.", repairsAsked),
	counted("sds_repairs_answered_total", "Requests of peers that were answered.", repairsAnswered),
	counted("sds_dependencies_lost_total", "Missing dependencies that were given up, once for each message that waited for them.", dependenciesLost),
	{"sds_payloads_refused_total", Counter, "Received payloads that failed: no SDS message, of a channel that may not be made, or of one that cannot be loaded.",
		"reason", reasonValues, func(r *reading, i int) json.Number { return whole(r.refused.payloads[i].Load()) }},
	{"sds_sent_bytes_total", Counter, "Bytes of payloads that were handed out to be sent.",
		"kind", append(slices.Clone(kindValues), "resend", "repair"), func(r *reading, i int) json.Number { return whole(r.counts[sentContent+counter(i)]) }},
	{"sds_received_bytes_total", Counter, "Bytes of payloads that were unwrapped, or refused.",
		"kind", append(slices.Clone(kindValues), "refused"), func(r *reading, i int) json.Number {
			if i == len(kindValues) {
				return whole(r.refused.bytes.Load())
			}
			return whole(r.counts[receivedContent+counter(i)])
		}},
	called("sds_persistence_calls_total", "Calls of the backend.",
		func(c *calls, p persistence.Procedure) json.Number { return whole(c[p].made.Load()) }),
	called("sds_persistence_failures_total", "Calls of the backend that failed or panicked.",
		func(c *calls, p persistence.Procedure) json.Number { return whole(c[p].failed.Load()) }),
	called("sds_persistence_seconds_total", "Time spent in calls of the backend.",
		func(c *calls, p persistence.Procedure) json.Number {
			return fractional(float64(c[p].duration.Load()) / 1e9)
		}),
	{"sds_events_dropped_total", Counter, "Events that were forgotten because nobody took them in time.",
		"", nil, func(r *reading, _ int) json.Number { return whole(r.dropped) }},
	{"sds_ticks_total", Counter, "Times that the periodic tasks were looked after. Where it stands still, nothing is resent, repaired or given up.",
		"", nil, func(r *reading, _ int) json.Number { return whole(r.ticks) }},

	held("sds_channels", "Channels in memory.", func(r *reading) int { return r.channels }),
	held("sds_log_messages", "Messages in the logs.", func(r *reading) int { return r.held.Log }),
	held("sds_outgoing_messages", "Messages of ours that nobody has acknowledged yet.", func(r *reading) int { return r.held.Outgoing }),
	held("sds_incoming_messages", "Messages that wait for missing dependencies.", func(r *reading) int { return r.held.Incoming }),
	held("sds_incoming_bytes", "What the waiting messages weigh against maxIncomingBytes, which is for each channel.", func(r *reading) int { return r.held.IncomingBytes }),
	{"sds_incoming_oldest_seconds", Gauge, "How long the message has waited that has waited longest.",
		"", nil, func(r *reading, _ int) json.Number { return fractional(float64(r.oldest) / 1e3) }},
	held("sds_outgoing_repairs", "Missing messages that will be asked for.", func(r *reading) int { return r.held.OutgoingRepairs }),
	held("sds_incoming_repairs", "Requests of peers that will be answered.", func(r *reading) int { return r.held.IncomingRepairs }),
	held("sds_met_dependencies", "Ids that were declared met and have not come since.", func(r *reading) int { return r.held.Met }),
	held("sds_persistence_pending_changes", "Changes of the logs that the backend has not confirmed.", func(r *reading) int { return r.held.PendingChanges }),
	held("sds_persistence_dirty_channels", "Channels whose state beside the log the backend lacks.", func(r *reading) int { return r.dirty }),
	held("sds_events_waiting", "Events that wait to be handled or taken.", func(r *reading) int { return r.waiting }),
	{"sds_filter_fill_ratio", Gauge, "Share of the bits that are set in the fullest channel's own filter.",
		"", nil, func(r *reading, _ int) json.Number { return fractional(r.fill) }},
}

// whole and fractional write numbers as Prometheus and JSON both read them.
func whole(n uint64) json.Number { return json.Number(strconv.FormatUint(n, 10)) }

func fractional(x float64) json.Number { return json.Number(strconv.FormatFloat(x, 'f', -1, 64)) }

// reading is everything that the table reads from.
type reading struct {
	counts  counts // of all channels that are and were
	refused *refused
	calls   *calls
	ticks   uint64
	dropped uint64

	channels int
	held     channel.Counts // in all channels together
	oldest   int64          // in milliseconds
	fill     float64
	dirty    int
	waiting  int
}

// Stats returns what was counted since New, and how much the channels in memory
// hold together. It waits for the operations that are under way, channel by
// channel, so the values are not those of one moment; a counter never goes back.
// Counting starts at 0 with each manager, whatever a backend keeps.
//
// After Close it goes on to answer: the counters are the last ones, where an
// operation that was waiting for its channel when Close came may be missing; the
// gauges are 0, but for the events that still wait.
func (m *Manager) Stats() Stats {
	r := m.read()
	stats := Stats{Metrics: make([]Metric, len(metrics))}
	for i := range metrics {
		row := &metrics[i]
		samples := make([]Sample, max(len(row.values), 1))
		for j := range samples {
			samples[j].Value = row.read(r, j)
			if row.label != "" {
				samples[j].Labels = map[string]string{row.label: row.values[j]}
			}
		}
		stats.Metrics[i] = Metric{Name: row.name, Type: row.kind, Help: row.help, Samples: samples}
	}
	return stats
}

// read sums up the channels. A channel that is removed meanwhile counts by its
// slot: when the slots were found, its counts were not among the manager's.
func (m *Manager) read() *reading {
	r := &reading{refused: &m.refused, calls: &m.calls}
	m.mu.RLock()
	slots := slices.Collect(maps.Values(m.channels))
	left := slices.Collect(maps.Values(m.left))
	r.counts, r.ticks = m.retired, m.ticks
	m.mu.RUnlock()
	now := m.now()
	for _, s := range slots {
		r.take(s, now)
	}
	for _, s := range left {
		m.takeLeft(s, r)
	}
	r.waiting, r.dropped = m.outbox.count()
	return r
}

// takeLeft takes the counts of a channel that Close left behind.
func (m *Manager) takeLeft(s *slot, r *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.counts.add(&s.counts)
	m.leave(s)
}

// take adds one channel.
func (r *reading) take(s *slot, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.counts.add(&s.counts)
	if s.removed || s.channel == nil {
		return
	}
	n := s.channel.Count(now)
	r.channels++
	r.held.Log += n.Log
	r.held.Outgoing += n.Outgoing
	r.held.Incoming += n.Incoming
	r.held.IncomingBytes += n.IncomingBytes
	r.held.OutgoingRepairs += n.OutgoingRepairs
	r.held.IncomingRepairs += n.IncomingRepairs
	r.held.Met += n.Met
	r.held.PendingChanges += n.PendingChanges
	if n.WaitingSince > 0 {
		r.oldest = max(r.oldest, now-n.WaitingSince)
	}
	if s.persistence(n).Dirty {
		r.dirty++
	}
	r.fill = max(r.fill, s.channel.FilterFill())
}
