// Command bench measures what the Go binding costs, for the benchmark of the whole
// library: two participants talk until both logs are full, then rounds of
// WrapOutgoingMessage are timed, of 1 KiB each and with ids of 64 characters. It prints
//
//	wrap NANOSECONDS
//
// the median of the rounds, for each call.
package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/libsds/libsds/bindings/go/sds"
)

const (
	channel = "channel"
	batch   = 200
	rounds  = 60
	warmUp  = 10
)

var (
	content  = make([]byte, 1024)
	sequence int
)

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func participant(id string) *sds.ReliabilityManager {
	return must(sds.NewReliabilityManagerWithOptions(nil,
		sds.WithParticipantID(id),
		// One peer is all there is to witness an acknowledgement.
		sds.WithConfigJSON(`{"possibleAckThreshold":1,"maxOutgoingMessages":1000000}`),
		sds.WithCallbacks(sds.EventCallbacks{
			OnMessageReady:        func(sds.MessageID, string) {},
			OnMessageSent:         func(sds.MessageID, string) {},
			OnMissingDependencies: func(sds.MessageID, []sds.HistoryEntry, string) {},
		})))
}

func nextID() sds.MessageID {
	sequence++
	return sds.MessageID(fmt.Sprintf("%064d", sequence))
}

// tell has the listener hear the speaker: both acknowledge what the other has.
func tell(speaker, listener *sds.ReliabilityManager) {
	must(listener.UnwrapReceivedMessage(must(speaker.WrapOutgoingMessage(content, nextID(), channel))))
}

func main() {
	for i := range content {
		content[i] = byte(i)
	}
	alice, bob := participant("alice"), participant("bob")
	for i := range 1100 {
		tell(alice, bob)
		if i%50 == 0 {
			tell(bob, alice)
		}
	}
	var took []float64
	ids := make([]sds.MessageID, batch)
	for round := range warmUp + rounds {
		for i := range ids {
			ids[i] = nextID()
		}
		var last []byte
		began := time.Now()
		for _, id := range ids {
			last = must(alice.WrapOutgoingMessage(content, id, channel))
		}
		if round >= warmUp {
			took = append(took, float64(time.Since(began).Nanoseconds())/batch)
		}
		// Bob catches up with all but the last by his word, and tells.
		check(bob.MarkDependenciesMet(ids, channel))
		must(bob.UnwrapReceivedMessage(last))
		tell(bob, alice)
		tell(alice, bob)
	}
	slices.Sort(took)
	fmt.Printf("wrap %.3f\n", took[len(took)/2])
	check(alice.Cleanup())
	check(bob.Cleanup())
}
