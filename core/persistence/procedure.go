package persistence

// Procedure names one of the procedures of a Backend.
type Procedure uint8

// The procedures.
const (
	SaveChannelMeta Procedure = iota + 1
	UpdateHistory
	LoadChannel
	DropChannel
	SetRetrievalHint
	Commit // of a Committer, in place of three of the above
)

var procedureNames = [...]string{
	SaveChannelMeta:  "SaveChannelMeta",
	UpdateHistory:    "UpdateHistory",
	LoadChannel:      "LoadChannel",
	DropChannel:      "DropChannel",
	SetRetrievalHint: "SetRetrievalHint",
	Commit:           "Commit",
}

// String returns the name of the method.
func (p Procedure) String() string {
	if int(p) < len(procedureNames) && procedureNames[p] != "" {
		return procedureNames[p]
	}
	return "unknown"
}
