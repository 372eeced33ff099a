package snapshot

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/snapshot/internal/snapshotpb"
)

// The oracle is what protoc-gen-go makes of proto/snapshot.proto. It is told a
// state by the functions below, which know nothing of the codec.

func oracleMeta(m *ChannelMeta) *snapshotpb.ChannelMeta {
	o := &snapshotpb.ChannelMeta{SchemaVersion: proto.Uint32(1), Lamport: &m.Lamport, Met: m.Met, WireFormat: m.WireFormat, Appending: m.Appending}
	for _, u := range m.Outgoing {
		attempts := uint32(u.Attempts)
		outgoing := &snapshotpb.Unacknowledged{Message: present(u.Message), SendTime: &u.SendTime, Attempts: &attempts}
		for _, w := range u.Witnesses {
			outgoing.Witness = append(outgoing.Witness, &snapshotpb.Witness{MessageId: &w.MessageID, SenderId: w.SenderID})
		}
		o.Outgoing = append(o.Outgoing, outgoing)
	}
	for _, in := range m.Incoming {
		incoming := &snapshotpb.Incoming{Message: present(in.Message), ReceivedTime: in.ReceivedTime}
		for _, e := range in.Missing {
			incoming.Missing = append(incoming.Missing, e.MessageID)
			incoming.MissingDetail = append(incoming.MissingDetail, &snapshotpb.MissingDetail{RetrievalHint: e.RetrievalHint, SenderId: e.SenderID})
		}
		for n := len(in.Missing); n > 0 && in.Missing[n-1].SenderID == "" && len(in.Missing[n-1].RetrievalHint) == 0; n-- {
			incoming.MissingDetail = incoming.MissingDetail[:n-1]
		}
		o.Incoming = append(o.Incoming, incoming)
	}
	for _, r := range m.OutgoingRepair {
		o.OutgoingRepair = append(o.OutgoingRepair, &snapshotpb.OutgoingRepair{
			MessageId: &r.Entry.MessageID,
			Entry:     &snapshotpb.OutgoingRepairEntry{Message: oracleEntry(&r.Entry), TReq: &r.TReq, FirstDue: r.FirstDue},
		})
	}
	for _, r := range m.IncomingRepair {
		o.IncomingRepair = append(o.IncomingRepair, &snapshotpb.IncomingRepair{
			MessageId: &r.Entry.MessageID,
			Entry:     &snapshotpb.IncomingRepairEntry{Message: oracleEntry(&r.Entry), CachedMessage: present(r.Message), TResp: &r.TResp},
		})
	}
	return o
}

func oracleEntry(e *HistoryEntry) *snapshotpb.HistoryEntry {
	return &snapshotpb.HistoryEntry{MessageId: &e.MessageID, RetrievalHint: e.RetrievalHint, SenderId: e.SenderID}
}

func oracleData(d *ChannelData) *snapshotpb.ChannelData {
	o := &snapshotpb.ChannelData{Meta: oracleMeta(d.Meta), Message: d.History}
	for _, h := range d.Hints {
		o.Hint = append(o.Hint, &snapshotpb.RetrievalHint{MessageId: &h.MessageID, Hint: present(h.Hint)})
	}
	return o
}

func oracleUpdate(u *HistoryUpdate) *snapshotpb.HistoryUpdate {
	o := &snapshotpb.HistoryUpdate{Evicted: u.Evict}
	for _, record := range u.Append {
		o.Message = append(o.Message, record.Message)
		o.Key = append(o.Key, &snapshotpb.HistoryKey{MessageId: record.MessageID, Lamport: record.Lamport})
	}
	for n := len(u.Append); n > 0 && u.Append[n-1].MessageID == "" && u.Append[n-1].Lamport == 0; n-- {
		o.Key = o.Key[:n-1]
	}
	return o
}

// present is b where generated code takes nil for absent.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// oracleOf returns what the oracle says of a state, and an empty message of the
// same type.
func oracleOf(state any) (said, empty proto.Message) {
	switch state := state.(type) {
	case *ChannelMeta:
		return oracleMeta(state), &snapshotpb.ChannelMeta{}
	case *ChannelData:
		return oracleData(state), &snapshotpb.ChannelData{}
	case *HistoryUpdate:
		return oracleUpdate(state), &snapshotpb.HistoryUpdate{}
	}
	panic("not a state")
}

func TestGeneratedCodeReadsWhatWeWrite(t *testing.T) {
	forEachCodec(t, func(t *testing.T, c codec) {
		rapid.Check(t, func(t *rapid.T) {
			state := c.any(t)
			want, got := oracleOf(state)
			if err := proto.Unmarshal(c.append(nil, state), got); err != nil {
				t.Fatal(err)
			}
			// Equal also compares unknown fields, of which there are none.
			if !proto.Equal(want, got) {
				t.Fatalf("read\n%v\nwant\n%v", got, want)
			}
		})
	})
}

func TestWeReadWhatGeneratedCodeWrites(t *testing.T) {
	forEachCodec(t, func(t *testing.T, c codec) {
		rapid.Check(t, func(t *rapid.T) {
			state := c.any(t)
			said, _ := oracleOf(state)
			blob, err := proto.Marshal(said)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.decode(blob)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "read", got, state)
		})
	})
}

// schemas are all that this package reads by.
var schemas = []*schema{
	&metaSchema, &unackedSchema, &witnessSchema, &incomingSchema, &detailSchema, &entrySchema,
	&outgoingRepairSchema, &askingSchema, &incomingRepairSchema, &askedSchema,
	&dataSchema, &hintSchema, &updateSchema, &keySchema,
}

func TestReaderFollowsTheSchema(t *testing.T) {
	messages := snapshotpb.File_snapshot_proto.Messages()
	if messages.Len() != len(schemas) {
		t.Errorf("%d messages are read, and proto/snapshot.proto has %d", len(schemas), messages.Len())
	}
	for _, s := range schemas {
		message := messages.ByName(protoreflect.Name(s.name))
		if message == nil {
			t.Errorf("%s: not in proto/snapshot.proto", s.name)
			continue
		}
		known := 0
		for number, got := range s.fields {
			if got.name == "" {
				continue
			}
			known++
			declared := message.Fields().ByNumber(protoreflect.FieldNumber(number))
			if declared == nil {
				t.Errorf("%s.%s: field %d is not in proto/snapshot.proto", s.name, got.name, number)
				continue
			}
			want := field{string(declared.Name()), protowire.VarintType, optional}
			switch declared.Kind() {
			case protoreflect.BytesKind, protoreflect.StringKind, protoreflect.MessageKind:
				want.typ = protowire.BytesType
			}
			switch {
			case declared.IsList():
				want.presence = repeated
			case declared.HasOptionalKeyword():
				want.presence = required
			}
			if got != want {
				t.Errorf("%s, field %d: read as %+v, declared as %+v", s.name, number, got, want)
			}
		}
		if known != message.Fields().Len() {
			t.Errorf("%s: %d fields are read, and proto/snapshot.proto has %d", s.name, known, message.Fields().Len())
		}
	}
}

// The generated code has no test of its own, and whoever edits the schema may
// lack protoc.
func TestGeneratedCodeIsOfTheSchema(t *testing.T) {
	source, err := os.ReadFile("../../proto/snapshot.proto")
	if err != nil {
		t.Fatal(err)
	}
	bare := regexp.MustCompile(`//.*`).ReplaceAllString(string(source), "")
	got := strings.Join(strings.Fields(bare), " ")

	file := snapshotpb.File_snapshot_proto
	want := fmt.Sprintf(`syntax = "proto3"; package %s;`, file.Package())
	for i := range file.Messages().Len() {
		message := file.Messages().Get(i)
		want += fmt.Sprintf(" message %s {", message.Name())
		for j := range message.Fields().Len() {
			want += " " + declaration(message.Fields().Get(j))
		}
		want += " }"
	}
	if got != want {
		t.Errorf("generate it again: proto/snapshot.proto is\n%s\nand the generated code\n%s", got, want)
	}
}

func declaration(f protoreflect.FieldDescriptor) string {
	kind := f.Kind().String()
	if f.Message() != nil {
		kind = string(f.Message().Name())
	}
	switch {
	case f.IsList():
		kind = "repeated " + kind
	case f.HasOptionalKeyword():
		kind = "optional " + kind
	}
	return fmt.Sprintf("%s %s = %d;", kind, f.Name(), f.Number())
}
