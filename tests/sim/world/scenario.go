package world

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Generate returns the script of a seed. All that a script can say comes up in
// some; most seeds have a little of it, so that what goes wrong has few causes.
func Generate(seed uint64) *Script {
	g := generator{
		Rand:   rand.New(rand.NewPCG(seed, 0x5d5)),
		script: &Script{Seed: seed},
		config: map[string]any{},
	}
	g.people()
	g.configure()
	g.surroundings()
	g.talk()
	g.trouble()
	slices.SortStableFunc(g.script.Actions, func(a, b Action) int { return cmp.Compare(a.At, b.At) })
	text, err := json.Marshal(g.config)
	must(err) // of names, numbers and words
	g.script.Config = string(text)
	return g.script
}

// generator makes decisions.
type generator struct {
	*rand.Rand
	script *Script
	config map[string]any
	sync   int64 // the interval of sync messages
	talks  int64 // how long messages are sent
}

// once in n times.
func (g *generator) once(n int) bool { return g.IntN(n) == 0 }

// between returns a number from least to most.
func (g *generator) between(least, most int64) int64 { return least + g.Int64N(most-least+1) }

// anybody returns a participant.
func (g *generator) anybody() *Member {
	return &g.script.Participants[g.IntN(len(g.script.Participants))]
}

func (g *generator) people() {
	n := 2 + g.IntN(4)
	if g.once(12) {
		n = 6 + g.IntN(7)
	}
	keeping := keepings[g.IntN(len(keepings))]
	mixed := g.once(4)
	for i := range n {
		m := Member{Name: string(rune('a' + i)), Keeps: keeping}
		if mixed {
			m.Keeps = keepings[g.IntN(len(keepings))]
		}
		if m.Keeps != KeepsNothing && g.once(4) {
			m.Syncs = g.between(1_000, 30_000)
		}
		g.script.Participants = append(g.script.Participants, m)
	}
}

// configure sets what hosts set. Intervals are short against the defaults, in
// proportion to each other, so that a run has many of them.
func (g *generator) configure() {
	c := g.config
	g.sync = g.between(10_000, 30_000)
	c["syncMessageIntervalMs"] = g.sync
	c["repairSweepIntervalMs"] = g.between(2_000, 5_000)
	c["bufferSweepIntervalMs"] = g.between(5_000, 30_000)
	c["resendIntervalMs"] = g.between(10_000, 40_000)
	c["maxResendAttempts"] = g.between(0, 5)
	least := g.between(0, 20_000)
	c["repairTMinMs"] = least
	c["repairTMaxMs"] = least + g.between(5_000, 60_000)
	c["missingDependencyTimeoutMs"] = g.between(60_000, 400_000)
	c["bloomFilterCapacity"] = []int{50, 200, 1000}[g.IntN(3)]
	c["maxCausalHistory"] = g.between(3, 10)
	if g.once(4) {
		c["maxCausalHistory"] = g.between(1, 2)
	}
	if g.once(6) {
		c["maxMessageHistory"] = g.between(10, 30)
	}
	if g.once(6) {
		c["bloomFilterErrorRate"] = []float64{0.05, 0.2}[g.IntN(2)]
		c["ackConfidence"] = 1e-3
	}
	if g.once(6) {
		c["possibleAckThreshold"] = g.between(1, 3)
	}
	if g.once(6) {
		c["numResponseGroups"] = g.between(2, 4)
	}
	if g.once(6) {
		c["maxRepairRequests"] = g.between(1, 10)
	}
	if g.once(6) {
		c["maxIncomingMessages"] = g.between(1, 8)
	}
	if g.once(8) {
		c["maxRepairEntries"] = g.between(1, 5)
	}
	if g.once(8) {
		c["missingDependencyTimeoutMs"] = 0
	}
	if g.once(10) {
		c["maxOutgoingMessages"] = g.between(1, 5)
	}
	if g.once(4) {
		c["wireFormat"] = []string{"sds-0.2", "sds-0.3", "lip-109"}[g.IntN(3)]
	}
}

// surroundings are the network and the store node.
func (g *generator) surroundings() {
	n := &g.script.Network
	n.Fastest, n.Slowest = g.between(1, 100), g.between(200, 3_000)
	if g.once(6) {
		n.Slowest = g.between(5_000, 60_000)
	}
	if !g.once(6) {
		n.Loss = []float64{0.02, 0.05, 0.1, 0.2, 0.3, 0.5}[g.IntN(6)]
	}
	if g.once(2) {
		n.Duplicate = []float64{0.05, 0.2, 0.5}[g.IntN(3)]
	}
	if g.once(4) {
		n.Echo = []float64{0.1, 1}[g.IntN(2)]
	}
	if g.once(4) {
		g.script.Store = &Store{Loss: []float64{0, 0.1, 0.3}[g.IntN(3)]}
	}
}

// talk is who sends what when.
func (g *generator) talk() {
	messages := 5 + g.IntN(30)
	if g.once(12) {
		messages = 40 + g.IntN(40)
	}
	g.talks = g.between(20_000, 300_000)
	burst := g.once(4)
	at := g.Int64N(g.talks)
	for i := range messages {
		if !burst || g.once(6) {
			at = g.Int64N(g.talks)
		}
		a := Action{At: at + g.Int64N(20), Verb: verbSend, Name: g.anybody().Name, Message: fmt.Sprint("m", i+1), Bytes: 1 + g.IntN(60)}
		if g.once(40) {
			a.Bytes = 2_000
		}
		if g.once(40) {
			a.Verb = verbWhisper
		}
		g.script.Actions = append(g.script.Actions, a)
	}
}

// trouble is what goes wrong beside the loss, up to calm.
func (g *generator) trouble() {
	s := g.script
	end := g.talks
	add := func(a Action) {
		s.Actions = append(s.Actions, a)
		end = max(end, a.At)
	}
	if g.once(3) {
		for range 1 + g.IntN(3) {
			at := g.Int64N(g.talks)
			add(Action{At: at, Verb: verbSplit, Sides: g.sides()})
			add(Action{At: at + g.between(5_000, 150_000), Verb: verbHeal})
		}
	}
	if g.once(2) {
		for range 1 + g.IntN(4) {
			m := g.anybody()
			at := g.Int64N(g.talks)
			crash := Action{At: at, Verb: verbCrash, Name: m.Name}
			if g.once(2) {
				crash.Calls = 1 + g.IntN(4)
			}
			if g.once(2) {
				crash.Lose = 1 + g.IntN(12)
			}
			add(crash)
			add(Action{At: at + g.between(100, 60_000), Verb: verbRestart, Name: m.Name})
		}
	}
	if g.once(4) {
		for range 1 + g.IntN(2) {
			g.anybody().Joins = g.Int64N(g.talks)
		}
	}
	if g.once(4) {
		for i := range s.Participants {
			s.Participants[i].Skew = g.between(-3_000, 3_000)
			if g.once(10) {
				s.Participants[i].Skew = g.between(-600_000, 600_000)
			}
		}
	}
	if g.once(6) {
		for range 1 + g.IntN(3) {
			jump := g.between(-60_000, 60_000)
			if g.once(4) {
				jump *= 100
			}
			add(Action{At: g.Int64N(g.talks), Verb: verbClock, Name: g.anybody().Name, Jump: jump})
		}
	}
	if g.once(6) {
		m, at := g.anybody(), g.Int64N(g.talks)
		add(Action{At: at, Verb: verbDisk, Name: m.Name, Fails: true})
		add(Action{At: at + g.between(1_000, 60_000), Verb: verbDisk, Name: m.Name})
	}
	if g.once(8) {
		for range 1 + g.IntN(3) {
			add(Action{At: g.Int64N(g.talks), Verb: verbMet, Name: g.anybody().Name, Message: fmt.Sprint("m", 1+g.IntN(10))})
		}
	}
	s.Calm = end + 1_000
}

// sides cuts the participants in two or three.
func (g *generator) sides() [][]string {
	sides := make([][]string, 2+g.IntN(2))
	for i := range g.script.Participants {
		at := g.IntN(len(sides))
		sides[at] = append(sides[at], g.script.Participants[i].Name)
	}
	if g.script.Store != nil && g.once(2) {
		at := g.IntN(len(sides))
		sides[at] = append(sides[at], storeName)
	}
	return slices.DeleteFunc(sides, func(side []string) bool { return len(side) == 0 })
}
