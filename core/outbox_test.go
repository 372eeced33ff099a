package core

import "testing"

// A queue that never runs empty must not grow with what has passed through it.
func TestOutboxReusesTheRoomOfTakenEvents(t *testing.T) {
	for _, bound := range []int{0, 8} {
		var queue outbox
		queue.keep(bound)
		queue.put("c", make([]Event, 4))
		for range 10_000 {
			queue.put("c", []Event{{MessageID: "m"}})
			if _, ok := queue.take(); !ok {
				t.Fatal("the queue is empty")
			}
		}
		if room := cap(queue.events); room > 64 {
			t.Errorf("with bound %d, there is room for %d events, of which 4 wait", bound, room)
		}
	}
}
