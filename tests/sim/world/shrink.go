package world

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Shrink returns a script that violates the same invariant as s, as short as it
// finds one with at most so many runs: fewer actions, participants, losses and
// settings, and rounder times. The fates of payloads are written out one by one
// where that makes them few. It returns s where nothing is violated.
func Shrink(s *Script, runs int) (*Script, error) {
	var explicit []Fate
	result, err := Run(s, Options{Explicit: &explicit})
	if err != nil || result.Violation == nil {
		return s, err
	}
	h := shrinker{invariant: result.Violation.Invariant, runs: runs, best: s}
	h.endSoon(result.Violation.At)
	h.pass()
	h.writeOut()
	for before := ""; before != h.best.String() && h.runs > 0; {
		before = h.best.String()
		h.pass()
	}
	return h.best, nil
}

// shrinker looks for a shorter script.
type shrinker struct {
	invariant Invariant
	runs      int
	best      *Script
}

// try takes a script if it violates the same invariant.
func (h *shrinker) try(s *Script) bool {
	if h.runs == 0 || s.check() != nil {
		return false
	}
	h.runs--
	result, err := Run(s, Options{})
	if err != nil || result.Violation == nil || result.Violation.Invariant != h.invariant {
		return false
	}
	h.best = s
	return true
}

// change tries a changed copy of the best script.
func (h *shrinker) change(change func(*Script)) bool {
	s := h.best.clone()
	change(s)
	return h.try(s)
}

func (s *Script) clone() *Script {
	c := *s
	c.Participants = slices.Clone(s.Participants)
	c.Actions = slices.Clone(s.Actions)
	c.Fates = slices.Clone(s.Fates)
	return &c
}

// endSoon leaves out what comes after a violation.
func (h *shrinker) endSoon(at int64) {
	h.change(func(s *Script) {
		s.Actions = slices.DeleteFunc(s.Actions, func(a Action) bool { return a.At > at })
	})
}

// writeOut replaces chance by what it did.
func (h *shrinker) writeOut() {
	var explicit []Fate
	if _, err := Run(h.best, Options{Explicit: &explicit}); err != nil || len(h.best.Fates) > 0 {
		return
	}
	slices.SortStableFunc(explicit, func(a, b Fate) int {
		return cmp.Or(cmp.Compare(a.Payload, b.Payload), cmp.Compare(a.Receiver, b.Receiver))
	})
	h.change(func(s *Script) {
		s.Fates = explicit
		s.Network.Loss, s.Network.Duplicate, s.Network.Slowest = 0, 0, s.Network.Fastest
	})
}

// pass tries everything once.
func (h *shrinker) pass() {
	for i := len(h.best.Participants) - 1; i >= 0; i-- {
		h.change(func(s *Script) { s.without(s.Participants[i].Name) })
	}
	fewer(h, func(s *Script) *[]Action { return &s.Actions })
	fewer(h, func(s *Script) *[]Fate { return &s.Fates })
	h.plainer()
	h.rounder()
}

// without removes a participant and what it does.
func (s *Script) without(name string) {
	s.Participants = slices.DeleteFunc(s.Participants, func(m Member) bool { return m.Name == name })
	s.Actions = slices.DeleteFunc(s.Actions, func(a Action) bool { return a.Name == name })
	for i := range s.Actions {
		sides := make([][]string, len(s.Actions[i].Sides))
		for at, side := range s.Actions[i].Sides {
			sides[at] = slices.DeleteFunc(slices.Clone(side), func(member string) bool { return member == name })
		}
		s.Actions[i].Sides = slices.DeleteFunc(sides, func(side []string) bool { return len(side) == 0 })
	}
	s.Fates = slices.DeleteFunc(s.Fates, func(f Fate) bool { return f.Receiver == name })
}

// fewer removes elements of a list, large parts first.
func fewer[T any](h *shrinker, list func(*Script) *[]T) {
	for size := len(*list(h.best)); size > 0; size /= 2 {
		for at := 0; at < len(*list(h.best)) && h.runs > 0; {
			removed := h.change(func(s *Script) {
				l := list(s)
				*l = slices.Delete(*l, at, min(at+size, len(*l)))
			})
			if !removed {
				at += size
			}
		}
	}
}

// plainer takes options back to what they are where nothing is said.
func (h *shrinker) plainer() {
	for _, change := range []func(*Script){
		func(s *Script) { s.Store = nil },
		func(s *Script) { s.Network.Loss = 0 },
		func(s *Script) { s.Network.Duplicate = 0 },
		func(s *Script) { s.Network.Echo = 0 },
		func(s *Script) { s.Network.Slowest = s.Network.Fastest },
		func(s *Script) { s.Network.Fastest, s.Network.Slowest = 0, s.Network.Slowest-s.Network.Fastest },
		func(s *Script) { s.Seed = 1 },
	} {
		h.change(change)
	}
	for i := range h.best.Participants {
		h.change(func(s *Script) { s.Participants[i].Skew = 0 })
		h.change(func(s *Script) { s.Participants[i].Syncs = 0 })
		h.change(func(s *Script) { s.Participants[i].Joins = 0 })
		h.change(func(s *Script) { s.Participants[i].Keeps = KeepsNothing })
	}
	for i := range h.best.Actions {
		h.change(func(s *Script) { s.Actions[i].Calls = 0 })
		h.change(func(s *Script) { s.Actions[i].Lose = 0 })
		h.change(func(s *Script) { s.Actions[i].Bytes = min(s.Actions[i].Bytes, 1) })
	}
	var config map[string]json.RawMessage
	if json.Unmarshal([]byte(h.best.Config), &config) != nil {
		return
	}
	for _, key := range sortedKeys(config) {
		value := config[key]
		delete(config, key)
		text, err := json.Marshal(config)
		must(err)
		if !h.change(func(s *Script) { s.Config = string(text) }) {
			config[key] = value
		}
	}
}

// rounder makes times whole numbers of ten seconds, or of one.
func (h *shrinker) rounder() {
	for _, unit := range []int64{10_000, 1_000, 100} {
		round := func(t int64) int64 { return (t + unit/2) / unit * unit }
		h.change(func(s *Script) {
			for i := range s.Actions {
				s.Actions[i].At = round(s.Actions[i].At)
			}
		})
		for i := range h.best.Actions {
			if a := &h.best.Actions[i]; round(a.At) != a.At {
				h.change(func(s *Script) { s.Actions[i].At = round(s.Actions[i].At) })
			}
		}
		for i := range h.best.Fates {
			h.change(func(s *Script) {
				f := &s.Fates[i]
				f.Delays = slices.Clone(f.Delays)
				for at := range f.Delays {
					f.Delays[at] = round(f.Delays[at])
				}
			})
		}
		h.change(func(s *Script) { s.Calm = round(s.Calm) })
	}
	h.change(func(s *Script) {
		s.Calm = 0
		for i := range s.Actions {
			s.Calm = max(s.Calm, s.Actions[i].At+1_000)
		}
	})
}
