package sds

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// network loses, repeats and reorders, the same way in every run.
type network struct {
	t       *testing.T
	chance  *rand.Rand
	now     time.Time
	talkers []*talker
}

// lost are so many of 100 that are sent to somebody.
const lost = 15

// talker is a participant at the network. What it shows is what was delivered to it.
type talker struct {
	*ReliabilityManager
	network   *network
	name      string
	path      string
	inbox     [][]byte
	delivered map[string][]string
	sent      int
}

var channels = []string{"lobby", "market"}

func (n *network) join(name string) {
	v := &talker{network: n, name: name, path: filepath.Join(n.t.TempDir(), name), delivered: make(map[string][]string)}
	v.open()
	n.talkers = append(n.talkers, v)
}

func (v *talker) open() {
	n := v.network
	rm, err := NewReliabilityManagerWithOptions(nil,
		WithParticipantID(v.name),
		WithConfigJSON(`{"repairTMinMs":1000,"repairTMaxMs":120000,"repairSweepIntervalMs":1000,"syncMessageIntervalMs":3000,"resendIntervalMs":20000,"maxResendAttempts":20,"bufferSweepIntervalMs":5000,"missingDependencyTimeoutMs":0,"maxRepairRequests":10}`),
		WithStorePath(v.path),
		WithClock(func() time.Time { return n.now }),
		WithCallbacks(EventCallbacks{
			OnMessageDelivered: func(message []byte, id MessageID, channel string) {
				if want := "content of " + string(id); string(message) != want {
					n.t.Errorf("%s is delivered %q, not %q", v.name, message, want)
				}
				v.delivered[channel] = append(v.delivered[channel], string(id))
			},
			OnRepairReady:    func(message []byte, _ string) { n.broadcast(v, message) },
			OnResendReady:    func(message []byte, _ MessageID, _ string, _ int) { n.broadcast(v, message) },
			OnDeliveryFailed: func(id MessageID, _ string, _ int) { n.t.Errorf("%s gives up %s", v.name, id) },
			OnSyncDue: func(due []string) {
				for _, channel := range due {
					n.broadcast(v, must(v.WrapSyncMessage(channel)))
				}
			},
		}))
	mustNot(n.t, err)
	for _, channel := range channels {
		mustNot(n.t, rm.EnsureChannel(channel))
	}
	v.ReliabilityManager = rm
}

func (v *talker) restart() {
	mustNot(v.network.t, v.Cleanup())
	<-v.Done()
	v.open()
}

func (v *talker) say(channel string) {
	v.sent++
	id := MessageID(fmt.Sprintf("%s-%s-%d", channel, v.name, v.sent))
	v.network.broadcast(v, must(v.WrapOutgoingMessage([]byte("content of "+string(id)), id, channel)))
	v.delivered[channel] = append(v.delivered[channel], string(id))
}

func (n *network) broadcast(from *talker, payload []byte) {
	for _, to := range n.talkers {
		if to == from {
			continue
		}
		for n.chance.IntN(100) >= lost { // some come twice
			at := n.chance.IntN(len(to.inbox) + 1)
			to.inbox = slices.Insert(to.inbox, at, payload)
			if n.chance.IntN(10) != 0 {
				break
			}
		}
	}
}

// pass has everybody receive what has arrived, and a second go by.
func (n *network) pass() {
	n.now = n.now.Add(time.Second)
	for _, v := range n.talkers {
		arrived := v.inbox
		v.inbox = nil
		for _, payload := range arrived {
			must(v.UnwrapReceivedMessage(payload))
		}
		must(v.Tick(n.now))
	}
}

// settled tells whether all have everything and nobody waits for anything.
func (n *network) settled(each int) bool {
	for _, v := range n.talkers {
		for _, channel := range channels {
			held := must(v.Inspect(channel))
			if len(held.Log) != each || len(held.Outgoing) > 0 || len(held.Incoming) > 0 {
				return false
			}
		}
	}
	return true
}

func (v *talker) log(channel string) (ids []string) {
	for _, message := range must(v.Inspect(channel)).Log {
		ids = append(ids, message.MessageID)
	}
	return ids
}

func TestThreeParticipantsEndWithTheSameLogsThroughLossesAndARestart(t *testing.T) {
	n := &network{t: t, chance: rand.New(rand.NewPCG(2026, 1)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, name := range []string{"alice", "bob", "carol"} {
		n.join(name)
	}
	const rounds = 40
	for round := range rounds {
		for _, v := range n.talkers {
			v.say(channels[round%len(channels)])
		}
		n.pass()
		if round == rounds/2 {
			n.talkers[1].restart()
		}
	}
	const each = rounds / 2 * 3
	for range 600 {
		if n.settled(each) {
			break
		}
		n.pass()
	}
	alice := n.talkers[0]
	for _, channel := range channels {
		want := alice.log(channel)
		if len(want) != each {
			t.Errorf("the log of %s has %d messages, not %d", channel, len(want), each)
		}
		for _, v := range n.talkers {
			if got := v.log(channel); !slices.Equal(got, want) {
				t.Errorf("%s's log of %s is\n%v, not\n%v", v.name, channel, got, want)
			}
			if got := slices.Sorted(slices.Values(v.delivered[channel])); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("%s was delivered, each once or not:\n%v, not\n%v", v.name, got, want)
			}
			v.checkOrder(channel)
			if t.Failed() {
				return
			}
		}
	}
	if counted(n.talkers, "sds_repairs_answered_total") == 0 || counted(n.talkers, "sds_messages_buffered_total") == 0 {
		t.Error("the network lost nothing that mattered")
	}
	for _, v := range n.talkers {
		mustNot(t, v.Cleanup())
		<-v.Done()
	}
}

// checkOrder checks that the messages of each sender were delivered in their order, as
// each cites the ones before.
func (v *talker) checkOrder(channel string) {
	last := make(map[string]int)
	for _, id := range v.delivered[channel] {
		parts := strings.Split(id, "-")
		sender, number := parts[1], must(strconv.Atoi(parts[2]))
		if number <= last[sender] {
			v.network.t.Errorf("%s is delivered %s after message %d of %s", v.name, id, last[sender], sender)
		}
		last[sender] = number
	}
}

// counted is the sum of a metric over all talkers since they were opened.
func counted(talkers []*talker, name string) (sum int) {
	for _, v := range talkers {
		for _, metric := range v.Stats().Metrics {
			if metric.Name == name {
				sum += must(strconv.Atoi(metric.Samples[0].Value.String()))
			}
		}
	}
	return sum
}
