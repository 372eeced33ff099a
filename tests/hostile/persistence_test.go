package hostile

import (
	"fmt"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/wire"
)

// meter is a backend that tells how much was saved beside the log, at last.
type meter struct {
	*persistence.Memory
	saved int64
}

func (m *meter) SaveChannelMeta(channelID string, meta []byte) error {
	m.saved = int64(len(meta))
	return m.Memory.SaveChannelMeta(channelID, meta)
}

// TestWhatIsSavedStaysWithinTheBuffers: each operation saves what is in flight, so
// whoever fills the buffer of what waits makes each of them save as much, for
// missingDependencyTimeoutMs. What bounds that is maxIncomingBytes, 64 MiB by
// default, whatever the messages in it are like.
func TestWhatIsSavedStaysWithinTheBuffers(t *testing.T) {
	const bound = 1 << 20
	for name, waiting := range map[string]func(i int) []byte{
		"large messages": func(i int) []byte {
			return forged(wire.SDS04, fmt.Sprint("evil", i), saying(make([]byte, 64*kib)), citing("missing"))
		},
		"long histories": func(i int) []byte {
			return forged(wire.SDS02, fmt.Sprint("evil", i), citing(numbered(fmt.Sprint(i, "-"), 4000)...))
		},
		"small messages": func(i int) []byte { return forged(wire.SDS02, fmt.Sprint("evil", i), citing("missing")) },
	} {
		config := core.DefaultConfig()
		config.Limits.MaxIncomingBytes = bound
		backend := &meter{Memory: new(persistence.Memory)}
		m, err := core.New(core.Options{ParticipantID: "victim", Config: &config, Backend: backend, Handler: func(core.Event) {}, Now: func() int64 { return start }})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 24 {
			if _, err := m.Unwrap(waiting(i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.Wrap(nil, channelID, "mine", []byte("content")); err != nil {
			t.Fatal(err)
		}
		// And a thousand entries that are asked for.
		expectAtMost(t, "bytes saved by each operation, with 1 MiB for what waits, of "+name, backend.saved, bound+int64(config.Limits.MaxRepairEntries)*64)
		m.Close()
	}
}
