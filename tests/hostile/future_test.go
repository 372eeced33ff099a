package hostile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// TestFutureMessagesOwnNothing: twice as many messages from the end of time as a log can
// hold come in the middle of a conversation, one by one or all released by one. They are
// the largest of the log and would stay there, be all that is cited, and leave no place
// for what is said. But they are not cited, and go before all others.
func TestFutureMessagesOwnNothing(t *testing.T) {
	const history = 200 // 1,000 take longer and show the same
	for name, says := range map[string]func(*wire.Message){"one by one": citing(), "all at once": citing("evil")} {
		t.Run(name, func(t *testing.T) {
			r := openRoom(t, func(c *core.Config) { c.MaxMessageHistory = history })
			for range 10 {
				r.talk(15, nil)
				r.expectDelivery()
				r.startOver()
			}
			before := r.honestInLog()
			for i := range 2 * history {
				r.attack(forged(wire.SDS04, fmt.Sprint("evil", i), at(limits.MaxLamport), says))
			}
			r.attack(forged(wire.SDS04, "evil", at(limits.MaxLamport)))
			r.talk(24, nil)
			r.expectService()
			for _, p := range r.everybody() {
				for _, entry := range decoded(t, r.say(p).payload).History {
					if r.sender(entry.ID) == "" {
						t.Errorf("%s cites %s", p.name, entry.ID)
					}
				}
				if n := p.held().Log; n > history {
					t.Errorf("%s: the log has %d messages", p.name, n)
				}
			}
			if held := r.honestInLog(); held != before+len(r.said) {
				t.Errorf("%d honest messages were in the log, %d have come, and %d are there", before, len(r.said), held)
			}
		})
	}
}

// honestInLog is how many messages of honest participants the victim's log has.
func (r *room) honestInLog() int {
	r.t.Helper()
	inspection, err := r.victim.Inspect(channelID)
	if err != nil {
		r.t.Fatal(err)
	}
	honestOnes := 0
	for _, logged := range inspection.Log {
		if strings.HasPrefix(logged.MessageID, honest) {
			honestOnes++
		}
	}
	return honestOnes
}
