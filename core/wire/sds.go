package wire

import "google.golang.org/protobuf/encoding/protowire"

// The fields that the three sds-* formats share. Field 3 differs, and 7, 8 and
// 13 came with later ones; readers take them from any.
const (
	sdsID      protowire.Number = 1
	sdsLamport protowire.Number = 2
	sdsHistory protowire.Number = 3
	sdsChannel protowire.Number = 4
	sdsContent protowire.Number = 5
	sdsFilter  protowire.Number = 6
	sdsSender  protowire.Number = 7
	sdsDetails protowire.Number = 8
)

// decodeSDS reads a message of any sds-* format.
func (d *decoder) decodeSDS() (err error) {
	m := d.message
	if m.ID, err = d.requiredID(sdsID, "message id"); err != nil {
		return err
	}
	if m.ChannelID, err = d.requiredID(sdsChannel, "channel id"); err != nil {
		return err
	}
	if m.SenderID, err = d.optionalID(d.bytes(sdsSender), "sender id"); err != nil {
		return err
	}
	if err = d.lamport(sdsLamport); err != nil {
		return err
	}
	if err = d.content(sdsContent); err != nil {
		return err
	}
	if !m.HasLamport && !d.fields[sdsContent].present {
		return errNoSubstance
	}
	m.Filter = d.bytes(sdsFilter)
	if m.RepairRequests, err = d.entries(m.RepairRequests, repairRequests); err != nil {
		return err
	}
	m.Format, err = d.sdsHistory()
	return err
}

// sdsHistory reads the causal history and tells the generation of the writer,
// as [Message].Format documents.
func (d *decoder) sdsHistory() (Format, error) {
	if d.fields[sdsDetails].count > 0 {
		return SDS04, d.historySDS04()
	}
	entries, err := d.historySDS03()
	if err != nil {
		return 0, err
	}
	bareIDs := len(d.message.History) > 0
	hasLaterFields := d.message.SenderID != "" || len(d.message.RepairRequests) > 0
	emptyFilter := d.message.Filter != nil && len(d.message.Filter) == 0
	switch {
	case entries:
		return SDS03, nil
	case emptyFilter && !bareIDs:
		return SDS03, nil
	case emptyFilter && !hasLaterFields:
		return SDS02, nil
	}
	return SDS04, nil
}

// lamportSDS writes the timestamp, which an ephemeral message does not have.
func (w *writer) lamportSDS(m *Message) {
	if m.HasLamport {
		w.varint(sdsLamport, m.Lamport)
	}
}
