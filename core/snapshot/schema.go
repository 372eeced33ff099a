package snapshot

import "google.golang.org/protobuf/encoding/protowire"

// presence is how often a field may stand in a message.
type presence uint8

const (
	optional presence = iota // at most once
	required                 // exactly once
	repeated
)

// field is what a reader must know of a field to judge whether it is in place.
type field struct {
	name     string
	typ      protowire.Type
	presence presence
}

// schema is one message of proto/snapshot.proto. Numbers without a name are
// unknown fields.
type schema struct {
	name   string
	fields [lastField + 1]field
}

// The fields, named message by message. Those from 16 up are our additions.
const (
	metaVersion        protowire.Number = 1
	metaLamport        protowire.Number = 2
	metaOutgoing       protowire.Number = 3
	metaIncoming       protowire.Number = 4
	metaOutgoingRepair protowire.Number = 5
	metaIncomingRepair protowire.Number = 6
	metaMet            protowire.Number = 16
	metaWireFormat     protowire.Number = 17
	metaAppending      protowire.Number = 18

	unackedMessage  protowire.Number = 1
	unackedSendTime protowire.Number = 2
	unackedAttempts protowire.Number = 3
	unackedWitness  protowire.Number = 16

	witnessID     protowire.Number = 1
	witnessSender protowire.Number = 2

	incomingMessage  protowire.Number = 1
	incomingMissing  protowire.Number = 2
	incomingReceived protowire.Number = 16
	incomingDetail   protowire.Number = 17

	entryID     protowire.Number = 1
	entryHint   protowire.Number = 2
	entrySender protowire.Number = 3

	// Both kinds of repair are an id and an entry.
	repairID    protowire.Number = 1
	repairEntry protowire.Number = 2

	askingMessage  protowire.Number = 1
	askingTReq     protowire.Number = 2
	askingFirstDue protowire.Number = 16

	askedMessage protowire.Number = 1
	askedCached  protowire.Number = 2
	askedTResp   protowire.Number = 3

	dataMeta    protowire.Number = 1
	dataMessage protowire.Number = 2
	dataHint    protowire.Number = 16

	hintID    protowire.Number = 1
	hintValue protowire.Number = 2

	updateMessage protowire.Number = 1
	updateEvicted protowire.Number = 2
	updateKey     protowire.Number = 16

	keyID      protowire.Number = 1
	keyLamport protowire.Number = 2

	lastField = 18
)

const (
	varintType = protowire.VarintType
	bytesType  = protowire.BytesType
)

var (
	// versionSchema is what every version of ChannelMeta has in common.
	versionSchema = schema{"ChannelMeta", [lastField + 1]field{
		metaVersion: {"schema_version", varintType, required},
	}}
	metaSchema = schema{"ChannelMeta", [lastField + 1]field{
		metaVersion:        {"schema_version", varintType, required},
		metaLamport:        {"lamport", varintType, required},
		metaOutgoing:       {"outgoing", bytesType, repeated},
		metaIncoming:       {"incoming", bytesType, repeated},
		metaOutgoingRepair: {"outgoing_repair", bytesType, repeated},
		metaIncomingRepair: {"incoming_repair", bytesType, repeated},
		metaMet:            {"met", bytesType, repeated},
		metaWireFormat:     {"wire_format", varintType, optional},
		metaAppending:      {"appending", bytesType, repeated},
	}}
	unackedSchema = schema{"Unacknowledged", [lastField + 1]field{
		unackedMessage:  {"message", bytesType, required},
		unackedSendTime: {"send_time", varintType, required},
		unackedAttempts: {"attempts", varintType, required},
		unackedWitness:  {"witness", bytesType, repeated},
	}}
	witnessSchema = schema{"Witness", [lastField + 1]field{
		witnessID:     {"message_id", bytesType, required},
		witnessSender: {"sender_id", bytesType, optional},
	}}
	incomingSchema = schema{"Incoming", [lastField + 1]field{
		incomingMessage:  {"message", bytesType, required},
		incomingMissing:  {"missing", bytesType, repeated},
		incomingReceived: {"received_time", varintType, optional},
		incomingDetail:   {"missing_detail", bytesType, repeated},
	}}
	// A detail is a HistoryEntry whose id stands elsewhere.
	detailSchema = schema{"MissingDetail", [lastField + 1]field{
		entryHint:   {"retrieval_hint", bytesType, optional},
		entrySender: {"sender_id", bytesType, optional},
	}}
	entrySchema = schema{"HistoryEntry", [lastField + 1]field{
		entryID:     {"message_id", bytesType, required},
		entryHint:   {"retrieval_hint", bytesType, optional},
		entrySender: {"sender_id", bytesType, optional},
	}}
	outgoingRepairSchema = schema{"OutgoingRepair", [lastField + 1]field{
		repairID:    {"message_id", bytesType, required},
		repairEntry: {"entry", bytesType, required},
	}}
	askingSchema = schema{"OutgoingRepairEntry", [lastField + 1]field{
		askingMessage:  {"message", bytesType, required},
		askingTReq:     {"t_req", varintType, required},
		askingFirstDue: {"first_due", varintType, optional},
	}}
	incomingRepairSchema = schema{"IncomingRepair", [lastField + 1]field{
		repairID:    {"message_id", bytesType, required},
		repairEntry: {"entry", bytesType, required},
	}}
	askedSchema = schema{"IncomingRepairEntry", [lastField + 1]field{
		askedMessage: {"message", bytesType, required},
		askedCached:  {"cached_message", bytesType, required},
		askedTResp:   {"t_resp", varintType, required},
	}}
	dataSchema = schema{"ChannelData", [lastField + 1]field{
		dataMeta:    {"meta", bytesType, required},
		dataMessage: {"message", bytesType, repeated},
		dataHint:    {"hint", bytesType, repeated},
	}}
	hintSchema = schema{"RetrievalHint", [lastField + 1]field{
		hintID:    {"message_id", bytesType, required},
		hintValue: {"hint", bytesType, required},
	}}
	updateSchema = schema{"HistoryUpdate", [lastField + 1]field{
		updateMessage: {"message", bytesType, repeated},
		updateEvicted: {"evicted", bytesType, repeated},
		updateKey:     {"key", bytesType, repeated},
	}}
	keySchema = schema{"HistoryKey", [lastField + 1]field{
		keyID:      {"message_id", bytesType, optional},
		keyLamport: {"lamport", varintType, optional},
	}}
)
