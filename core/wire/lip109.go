package wire

import "google.golang.org/protobuf/encoding/protowire"

// The fields of lip-109, beside repairRequests.
const (
	lipSender  protowire.Number = 1
	lipID      protowire.Number = 2
	lipChannel protowire.Number = 3
	lipLamport protowire.Number = 10
	lipHistory protowire.Number = 11
	lipFilter  protowire.Number = 12
	lipContent protowire.Number = 20
)

// decodeLIP109 reads a message of the specification's format.
func (d *decoder) decodeLIP109() (err error) {
	m := d.message
	m.Format = LIP109
	if m.ID, err = d.requiredID(lipID, "message id"); err != nil {
		return err
	}
	if m.ChannelID, err = d.requiredID(lipChannel, "channel id"); err != nil {
		return err
	}
	if m.SenderID, err = d.optionalID(d.bytes(lipSender), "sender id"); err != nil {
		return err
	}
	if err = d.lamport(lipLamport); err != nil {
		return err
	}
	if err = d.content(lipContent); err != nil {
		return err
	}
	if !m.HasLamport && !d.fields[lipContent].present {
		return errNoSubstance
	}
	m.Filter = d.bytes(lipFilter)
	if m.History, err = d.entries(m.History, lipHistory); err != nil {
		return err
	}
	m.RepairRequests, err = d.entries(m.RepairRequests, repairRequests)
	return err
}

// headLIP109 writes fields 1 to 11, without the empty ones.
func (w *writer) headLIP109(m *Message) {
	w.optionalString(lipSender, m.SenderID)
	w.optionalString(lipID, m.ID)
	w.optionalString(lipChannel, m.ChannelID)
	if m.HasLamport {
		w.varint(lipLamport, m.Lamport)
	}
	w.entries(lipHistory, m.History)
}

// tailLIP109 writes the content. A sync message has none; an ephemeral one
// always has it, by which it is known.
func (w *writer) tailLIP109(m *Message) {
	if !m.IsSync() {
		w.bytes(lipContent, m.Content)
	}
}
