package text

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/libsds/libsds/core"
)

func TestDecimalIsNumbersJoinedByCommas(t *testing.T) {
	check := func(t rapid.TB, content []byte) {
		words := make([]string, len(content))
		for i, b := range content {
			words[i] = strconv.Itoa(int(b))
		}
		want := "x" + strings.Join(words, ",")
		dst := append(make([]byte, 0, 1+DecimalBound(len(content))), 'x')
		if got := string(AppendDecimal(dst, content)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.SliceOf(rapid.Byte()).Draw(t, "content")) })
	for _, size := range []int{stretch - 1, stretch, stretch + 1, 2 * stretch, 2*stretch + 1} {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(i)
		}
		check(t, content)
	}
}

func TestStringIsWhatEncodingJSONReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "string")
		text := appendString(nil, s)
		if len(text) > stringBound(s) {
			t.Fatalf("%d bytes, more than the bound %d", len(text), stringBound(s))
		}
		var read string
		if err := json.Unmarshal(text, &read); err != nil || read != s {
			t.Fatalf("%s reads as %q (%v), want %q", text, read, err, s)
		}
	})
	for c := range rune(256) { // every control character, and what is near
		var read string
		if err := json.Unmarshal(appendString(nil, string(c)), &read); err != nil || read != string(c) {
			t.Errorf("%q reads as %q (%v)", c, read, err)
		}
	}
}

func TestBase64IsThatOfTheStandardLibrary(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 3*stretch - 1, 3 * stretch, 3*stretch + 1, 7 * stretch} {
		content := bytes.Repeat([]byte{0xfb}, size)
		if got, want := string(appendBase64(nil, content)), `"`+base64.StdEncoding.EncodeToString(content)+`"`; got != want {
			t.Errorf("%d bytes: %d characters, want %d", size, len(got), len(want))
		}
	}
}

// dependency is one entry of missingDeps and lostDeps, as encoding/json reads
// it: a []byte there is base64.
type dependency struct {
	MessageID     string `json:"messageId"`
	RetrievalHint []byte `json:"retrievalHint"`
}

func dependencies(of []core.Dependency) []dependency {
	read := []dependency{}
	for i := range of {
		read = append(read, dependency{of[i].ID, append([]byte{}, of[i].Hint...)})
	}
	return read
}

func drawDependencies(t *rapid.T) []core.Dependency {
	var drawn []core.Dependency
	for range rapid.IntRange(0, 3).Draw(t, "dependencies") {
		drawn = append(drawn, core.Dependency{
			ID: rapid.String().Draw(t, "dependency"), Hint: rapid.SliceOf(rapid.Byte()).Draw(t, "hint"),
		})
	}
	return drawn
}

// readStrictly reads one JSON object and refuses keys that v lacks.
func readStrictly(text []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if decoder.More() {
		return fmt.Errorf("something follows the object")
	}
	return nil
}

func TestUnwrappedStaysInItsBoundAndReadsBack(t *testing.T) {
	type result struct {
		Message          []int        `json:"message"`
		ChannelID        string       `json:"channelId"`
		MissingDeps      []dependency `json:"missingDeps"`
		MessageID        string       `json:"messageId"`
		SenderID         string       `json:"senderId"`
		LamportTimestamp uint64       `json:"lamportTimestamp"`
		Kind             string       `json:"kind"`
		Duplicate        bool         `json:"duplicate"`
		Buffered         bool         `json:"buffered"`
	}
	rapid.Check(t, func(t *rapid.T) {
		u := core.Unwrapped{
			ChannelID: rapid.String().Draw(t, "channel"), MessageID: rapid.String().Draw(t, "id"),
			SenderID: rapid.String().Draw(t, "sender"), Lamport: rapid.Uint64().Draw(t, "lamport"),
			Kind:      rapid.SampledFrom([]core.Kind{core.KindContent, core.KindSync, core.KindEphemeral}).Draw(t, "kind"),
			Content:   rapid.SliceOf(rapid.Byte()).Draw(t, "content"),
			Missing:   drawDependencies(t),
			Duplicate: rapid.Bool().Draw(t, "duplicate"), Buffered: rapid.Bool().Draw(t, "buffered"),
		}
		bound := UnwrappedBound(&u)
		text := AppendUnwrapped(make([]byte, 0, bound), &u)
		if len(text) > bound {
			t.Fatalf("%d bytes, more than the bound %d", len(text), bound)
		}
		want := result{
			Message: []int{}, ChannelID: u.ChannelID, MissingDeps: dependencies(u.Missing), MessageID: u.MessageID,
			SenderID: u.SenderID, LamportTimestamp: u.Lamport, Kind: u.Kind.String(), Duplicate: u.Duplicate, Buffered: u.Buffered,
		}
		for _, b := range u.Content {
			want.Message = append(want.Message, int(b))
		}
		var read result
		if err := readStrictly(text, &read); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, read); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestEventsHaveTheirKeysInOrder(t *testing.T) {
	deps := []core.Dependency{{ID: `d"1`, Hint: []byte("hint")}, {ID: "d2", SenderID: "s"}}
	for _, test := range []struct {
		event core.Event
		want  string
	}{
		{core.Event{Type: core.MessageReady, ChannelID: "c", MessageID: "m", Content: []byte("x")}, `{"messageId":"m","channelId":"c","eventType":"message_ready"}`},
		{core.Event{Type: core.MessageSent, ChannelID: "c", MessageID: "m\n"}, `{"messageId":"m\n","channelId":"c","eventType":"message_sent"}`},
		{core.Event{Type: core.MissingDependencies, ChannelID: "c", MessageID: "m", Deps: deps}, `{"eventType":"missing_dependencies","messageId":"m","channelId":"c","missingDeps":[{"messageId":"d\"1","retrievalHint":"aGludA=="},{"messageId":"d2","retrievalHint":""}]}`},
		{core.Event{Type: core.PeriodicSync, ChannelIDs: []string{"a", "b"}}, `{"eventType":"periodic_sync","channelIds":["a","b"]}`},
		{core.Event{Type: core.PeriodicSync}, `{"eventType":"periodic_sync","channelIds":[]}`},
		{core.Event{Type: core.RepairReady, ChannelID: "c", MessageID: "m", Message: []byte{1, 2, 3}}, `{"eventType":"repair_ready","channelId":"c","message":"AQID"}`},
		{core.Event{Type: core.ResendReady, ChannelID: "c", MessageID: "m", Message: []byte{1, 2, 3}, Attempts: 2}, `{"eventType":"resend_ready","channelId":"c","messageId":"m","message":"AQID","attempt":2}`},
		{core.Event{Type: core.DeliveryFailed, ChannelID: "c", MessageID: "m", Attempts: 5}, `{"eventType":"message_delivery_failed","channelId":"c","messageId":"m","attempts":5}`},
		{core.Event{Type: core.DependenciesLost, ChannelID: "c", MessageID: "m", Deps: deps[1:]}, `{"eventType":"dependencies_lost","channelId":"c","messageId":"m","lostDeps":[{"messageId":"d2","retrievalHint":""}]}`},
	} {
		got := AppendEvent(nil, &test.event)
		if diff := cmp.Diff(test.want, string(got)); diff != "" {
			t.Errorf("%v: %s", test.event.Type, diff)
		}
		if !json.Valid(got) {
			t.Errorf("%v: not JSON", test.event.Type)
		}
	}
}

func TestEveryEventReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := core.Event{
			Type:      core.EventType(rapid.IntRange(int(core.MessageReady), int(core.DependenciesLost)).Draw(t, "type")),
			ChannelID: rapid.String().Draw(t, "channel"), MessageID: rapid.String().Draw(t, "id"),
			Message: rapid.SliceOf(rapid.Byte()).Draw(t, "message"), Deps: drawDependencies(t),
			Attempts: rapid.Int().Draw(t, "attempts"), ChannelIDs: rapid.SliceOf(rapid.String()).Draw(t, "channels"),
		}
		var read struct {
			EventType   string       `json:"eventType"`
			ChannelID   *string      `json:"channelId"`
			MessageID   *string      `json:"messageId"`
			Message     *[]byte      `json:"message"`
			MissingDeps []dependency `json:"missingDeps"`
			LostDeps    []dependency `json:"lostDeps"`
			Attempt     *int         `json:"attempt"`
			Attempts    *int         `json:"attempts"`
			ChannelIDs  []string     `json:"channelIds"`
		}
		text := AppendEvent(nil, &e)
		if err := readStrictly(text, &read); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if read.EventType != e.Type.String() ||
			read.ChannelID != nil && *read.ChannelID != e.ChannelID ||
			read.MessageID != nil && *read.MessageID != e.MessageID ||
			read.Message != nil && !bytes.Equal(*read.Message, e.Message) ||
			read.MissingDeps != nil && !cmp.Equal(read.MissingDeps, dependencies(e.Deps)) ||
			read.LostDeps != nil && !cmp.Equal(read.LostDeps, dependencies(e.Deps)) ||
			read.Attempt != nil && *read.Attempt != e.Attempts ||
			read.Attempts != nil && *read.Attempts != e.Attempts ||
			len(read.ChannelIDs) > 0 && !cmp.Equal(read.ChannelIDs, e.ChannelIDs) {
			t.Fatalf("%+v reads as %s", e, text)
		}
	})
}
