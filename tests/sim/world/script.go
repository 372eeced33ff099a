package world

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Script is everything that decides a run: who takes part, with which
// configuration, over what network, and what happens when. It is read from and
// written as text, one thing a line; a line that begins with # is a comment.
// Times count from the beginning of the run.
//
//	seed N                          of the network's chances
//	config JSON                     as hosts give it; what is absent has its default
//	network [loss=P] [delay=T..T] [duplicate=P] [echo=P]
//	store [loss=P]                  there is a store node, which hears all but that
//	calm T                          from then on nothing is lost and nobody is split off
//	participant NAME [skew=T] [keeps=KEEPING] [syncs=T] [joins=T] [fault=FAULT]
//	at T send NAME ID BYTES         wraps and broadcasts
//	at T whisper NAME ID BYTES      the same, ephemeral
//	at T split NAMES | NAMES ...    cuts the network, until the next split or heal
//	at T heal
//	at T crash NAME [calls=N] [lose=N]
//	at T restart NAME
//	at T clock NAME T               sets its clock forward, or back
//	at T disk NAME fails|works      its backend, until calm
//	at T met NAME ID                declares that its host has a message by other means
//	lose PAYLOAD NAME               and the network has no other chances where
//	delay PAYLOAD NAME T [T]        there are any of these: twice is a duplicate
//
// KEEPING is nothing, procedures, commits or shared: who keeps nothing forgets
// all when it crashes. With syncs, its disk forgets what it was not told to
// keep for good, which it is told that often. A crash comes in the middle of
// the calls-th call of the backend from then on, or at once, and lose bounds
// what of the unsynced tail is gone with it. A payload is named after its
// message: m, m+1 its first resend, m@b.1 b's first answer with it, and b.1 the
// first sync message of b.
type Script struct {
	Comments     []string
	Seed         uint64
	Config       string
	Network      Network
	Store        *Store
	Calm         int64
	Participants []Member
	Actions      []Action
	Fates        []Fate
}

// Network is what happens to payloads, each with a probability.
type Network struct {
	Loss, Duplicate, Echo float64
	// Fastest and Slowest bound the delay, in milliseconds.
	Fastest, Slowest int64
}

// Store is the store node.
type Store struct{ Loss float64 }

// Member is a participant. Times are milliseconds.
type Member struct {
	Name  string
	Skew  int64
	Keeps Keeping
	// Syncs is how often the disk is told to keep for good; 0 is always.
	Syncs int64
	Joins int64
	Fault string
}

// Keeping is how a participant's backend is called.
type Keeping string

// The ways of keeping.
const (
	KeepsNothing    Keeping = "nothing"
	KeepsProcedures Keeping = "procedures"
	KeepsCommits    Keeping = "commits"
	KeepsShared     Keeping = "shared"
)

var keepings = []Keeping{KeepsNothing, KeepsProcedures, KeepsCommits, KeepsShared}

// Action is what somebody does at a time.
type Action struct {
	At   int64
	Verb string
	// Name is whom it concerns; Message is the id of a message.
	Name, Message string
	Bytes         int
	Sides         [][]string
	Calls, Lose   int
	Jump          int64
	Fails         bool
}

// Fate is what the network does with one payload for one receiver.
type Fate struct {
	Payload, Receiver string
	// Delays are of each copy that arrives; none is a loss.
	Delays []int64
}

// The verbs of actions.
const (
	verbSend    = "send"
	verbWhisper = "whisper"
	verbSplit   = "split"
	verbHeal    = "heal"
	verbCrash   = "crash"
	verbRestart = "restart"
	verbClock   = "clock"
	verbDisk    = "disk"
	verbMet     = "met"
)

// String returns the script as text that Parse reads.
func (s *Script) String() string {
	var t strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&t, format+"\n", arguments...) }
	for _, comment := range s.Comments {
		line("%s", strings.TrimRight("# "+comment, " "))
	}
	line("seed %d", s.Seed)
	if s.Config != "" {
		line("config %s", s.Config)
	}
	line("network%s%s%s%s", chance("loss", s.Network.Loss),
		fmt.Sprintf(" delay=%s..%s", span(s.Network.Fastest), span(s.Network.Slowest)),
		chance("duplicate", s.Network.Duplicate), chance("echo", s.Network.Echo))
	if s.Store != nil {
		line("store%s", chance("loss", s.Store.Loss))
	}
	line("calm %s", span(s.Calm))
	for _, m := range s.Participants {
		line("participant %s", m.String())
	}
	for i := range s.Actions {
		line("at %s %s", span(s.Actions[i].At), s.Actions[i].String())
	}
	for _, f := range s.Fates {
		line("%s", f.String())
	}
	return t.String()
}

// String returns what stands after "participant".
func (m *Member) String() string {
	text := m.Name
	if m.Skew != 0 {
		text += " skew=" + span(m.Skew)
	}
	if m.Keeps != KeepsNothing {
		text += " keeps=" + string(m.Keeps)
	}
	if m.Syncs != 0 {
		text += " syncs=" + span(m.Syncs)
	}
	if m.Joins != 0 {
		text += " joins=" + span(m.Joins)
	}
	if m.Fault != "" {
		text += " fault=" + m.Fault
	}
	return text
}

// String returns what stands after the time.
func (a *Action) String() string {
	switch a.Verb {
	case verbSend, verbWhisper:
		return fmt.Sprintf("%s %s %s %d", a.Verb, a.Name, a.Message, a.Bytes)
	case verbSplit:
		sides := make([]string, len(a.Sides))
		for i, side := range a.Sides {
			sides[i] = strings.Join(side, " ")
		}
		return verbSplit + " " + strings.Join(sides, " | ")
	case verbHeal:
		return verbHeal
	case verbCrash:
		return verbCrash + " " + a.Name + count("calls", a.Calls) + count("lose", a.Lose)
	case verbClock:
		return verbClock + " " + a.Name + " " + span(a.Jump)
	case verbMet:
		return verbMet + " " + a.Name + " " + a.Message
	case verbDisk:
		if a.Fails {
			return verbDisk + " " + a.Name + " fails"
		}
		return verbDisk + " " + a.Name + " works"
	}
	return a.Verb + " " + a.Name
}

// String returns the line of a fate.
func (f *Fate) String() string {
	if len(f.Delays) == 0 {
		return "lose " + f.Payload + " " + f.Receiver
	}
	text := "delay " + f.Payload + " " + f.Receiver
	for _, delay := range f.Delays {
		text += " " + span(delay)
	}
	return text
}

func chance(key string, p float64) string {
	if p == 0 {
		return ""
	}
	return " " + key + "=" + strconv.FormatFloat(p, 'g', -1, 64)
}

func count(key string, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" %s=%d", key, n)
}

// span writes milliseconds as a duration.
func span(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }

// Parse reads a script. Errors name the line.
func Parse(text string) (*Script, error) {
	s := &Script{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if err := s.parseLine(strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", number, strings.TrimSpace(line), err)
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// check tells what of a script cannot be meant.
func (s *Script) check() error {
	names := map[string]bool{storeName: s.Store != nil}
	for _, m := range s.Participants {
		if names[m.Name] || m.Name == storeName {
			return fmt.Errorf("there are two of the name %q", m.Name)
		}
		names[m.Name] = true
	}
	if len(s.Participants) == 0 {
		return errors.New("there is no participant")
	}
	messages := map[string]bool{}
	for i := range s.Actions {
		a := &s.Actions[i]
		for _, name := range slices.Concat(append(a.Sides, []string{a.Name})...) {
			if name != "" && !names[name] {
				return fmt.Errorf("%q: there is no participant %q", a.String(), name)
			}
		}
		if a.Verb != verbSend && a.Verb != verbWhisper {
			continue
		}
		if messages[a.Message] {
			return fmt.Errorf("%q: there is a message %q already", a.String(), a.Message)
		}
		messages[a.Message] = true
	}
	return nil
}

func (s *Script) parseLine(line string) error {
	words := strings.Fields(line)
	switch {
	case len(words) == 0:
		return nil
	case strings.HasPrefix(line, "#"):
		s.Comments = append(s.Comments, strings.TrimSpace(line[1:]))
		return nil
	}
	verb, words := words[0], words[1:]
	switch verb {
	case "seed":
		return only(words, func(word string) (err error) { s.Seed, err = strconv.ParseUint(word, 10, 64); return err })
	case "config":
		s.Config = strings.TrimSpace(strings.TrimPrefix(line, "config"))
		return nil
	case "network":
		return s.Network.parse(words)
	case "store":
		s.Store = &Store{}
		return options(words, map[string]func(string) error{"loss": probability(&s.Store.Loss)})
	case "calm":
		return only(words, duration(&s.Calm))
	case "participant":
		return s.parseMember(words)
	case "at":
		return s.parseAction(words)
	case "lose", "delay":
		return s.parseFate(verb, words)
	}
	return errors.New("no such line")
}

func (n *Network) parse(words []string) error {
	return options(words, map[string]func(string) error{
		"loss": probability(&n.Loss), "duplicate": probability(&n.Duplicate), "echo": probability(&n.Echo),
		"delay": func(word string) error {
			fastest, slowest, _ := strings.Cut(word, "..")
			if err := errors.Join(duration(&n.Fastest)(fastest), duration(&n.Slowest)(slowest)); err != nil {
				return err
			}
			if n.Fastest < 0 || n.Slowest < n.Fastest {
				return errors.New("delay is from the fastest to the slowest")
			}
			return nil
		},
	})
}

func (s *Script) parseMember(words []string) error {
	if len(words) == 0 {
		return errTooFew
	}
	m := Member{Name: words[0], Keeps: KeepsNothing}
	err := options(words[1:], map[string]func(string) error{
		"skew": duration(&m.Skew), "syncs": duration(&m.Syncs), "joins": duration(&m.Joins),
		"keeps": func(word string) error {
			m.Keeps = Keeping(word)
			if !slices.Contains(keepings, m.Keeps) {
				return fmt.Errorf("keeps is one of %v", keepings)
			}
			return nil
		},
		"fault": func(word string) error {
			m.Fault = word
			if _, known := faults[word]; !known {
				return fmt.Errorf("fault is one of %v", Faults())
			}
			return nil
		},
	})
	s.Participants = append(s.Participants, m)
	return err
}

var errTooFew = errors.New("too few words")

func (s *Script) parseAction(words []string) (err error) {
	if len(words) < 2 {
		return errTooFew
	}
	a := Action{Verb: words[1]}
	if err := duration(&a.At)(words[0]); err != nil {
		return err
	}
	rest := words[2:]
	if a.Verb != verbSplit && a.Verb != verbHeal {
		if len(rest) == 0 {
			return errTooFew
		}
		a.Name, rest = rest[0], rest[1:]
	}
	switch a.Verb {
	case verbHeal, verbRestart:
	case verbSend, verbWhisper:
		if len(rest) < 2 {
			return errTooFew
		}
		a.Message = rest[0]
		err = only(rest[1:], number(&a.Bytes))
		if err == nil && a.Bytes < 1 {
			err = errors.New("a message has a byte at least")
		}
	case verbSplit:
		a.Sides = [][]string{nil}
		for _, word := range rest {
			if word == "|" {
				a.Sides = append(a.Sides, nil)
				continue
			}
			last := len(a.Sides) - 1
			a.Sides[last] = append(a.Sides[last], word)
		}
	case verbCrash:
		err = options(rest, map[string]func(string) error{"calls": number(&a.Calls), "lose": number(&a.Lose)})
	case verbClock:
		err = only(rest, duration(&a.Jump))
	case verbMet:
		err = only(rest, func(word string) error { a.Message = word; return nil })
	case verbDisk:
		err = only(rest, func(word string) error {
			a.Fails = word == "fails"
			if !a.Fails && word != "works" {
				return errors.New("a disk fails or works")
			}
			return nil
		})
	default:
		return fmt.Errorf("nobody can %q", a.Verb)
	}
	s.Actions = append(s.Actions, a)
	return err
}

func (s *Script) parseFate(verb string, words []string) error {
	if len(words) < 2 || verb == "delay" && len(words) < 3 {
		return errTooFew
	}
	f := Fate{Payload: words[0], Receiver: words[1]}
	for _, word := range words[2:] {
		var delay int64
		if err := duration(&delay)(word); err != nil {
			return err
		}
		f.Delays = append(f.Delays, delay)
	}
	s.Fates = append(s.Fates, f)
	return nil
}

// only parses the one word that there must be.
func only(words []string, parse func(string) error) error {
	if len(words) != 1 {
		return fmt.Errorf("one word is wanted, not %d", len(words))
	}
	return parse(words[0])
}

// options parses words of the form key=value.
func options(words []string, keys map[string]func(string) error) error {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		parse := keys[key]
		if parse == nil {
			return fmt.Errorf("no such option: %q", key)
		}
		if err := parse(value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func duration(into *int64) func(string) error {
	return func(word string) error {
		d, err := time.ParseDuration(word)
		*into = d.Milliseconds()
		return err
	}
}

func number(into *int) func(string) error {
	return func(word string) (err error) {
		*into, err = strconv.Atoi(word)
		if err == nil && *into < 0 {
			err = errors.New("a number below 0")
		}
		return err
	}
}

func probability(into *float64) func(string) error {
	return func(word string) (err error) {
		*into, err = strconv.ParseFloat(word, 64)
		if err == nil && !(*into >= 0 && *into <= 1) {
			err = errors.New("a probability is from 0 to 1")
		}
		return err
	}
}

// Send is the action of sending a message of so many bytes.
func Send(at int64, name, message string, bytes int) Action {
	return Action{At: at, Verb: verbSend, Name: name, Message: message, Bytes: bytes}
}
