package world

import (
	"strings"
	"testing"
)

func TestAScriptIsReadAsItWasWritten(t *testing.T) {
	for seed := range uint64(500) {
		text := Generate(seed).String()
		script, err := Parse(text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if got := script.String(); got != text {
			t.Fatalf("seed %d is written as\n%s\nand then as\n%s", seed, text, got)
		}
	}
}

const everything = `# A comment
seed 7
config {"maxCausalHistory":3}
network loss=0.1 delay=1ms..2s duplicate=0.5 echo=1
store loss=0.25
calm 1m0s
participant a skew=-3s keeps=shared syncs=5s joins=1s fault=twice
participant b
at 1s send a m1 40
at 2s whisper b e1 3
at 3s split a | b store
at 4s heal
at 5s crash a calls=2 lose=3
at 6s restart a
at 7s clock b -1h0m0s
at 8s disk a fails
at 9s disk a works
at 10s met b m1
lose m1 b
delay m1+1 b 1s 2s
`

func TestEveryLineOfAScriptIsWrittenAsItWasRead(t *testing.T) {
	script, err := Parse(everything)
	if err != nil {
		t.Fatal(err)
	}
	if got := script.String(); got != everything {
		t.Errorf("written as\n%s", got)
	}
}

func TestWhatIsWrongWithAScriptIsSaid(t *testing.T) {
	const people = "participant a\nparticipant b\n"
	for text, want := range map[string]string{
		"":                             "no participant",
		"participant a\nparticipant a": `two of the name "a"`,
		"participant store":            `two of the name "store"`,
		"nonsense":                     `line 1: "nonsense": no such line`,
		people + "at 1s jump a":        `nobody can "jump"`,
		people + "at 1s send c m 1":    `no participant "c"`,
		people + "at 1s send a m 0":    "a byte at least",
		people + "at 1s send a m":      "too few words",
		people + "at soon heal":        "invalid duration",
		people + "at 1s send a m 1\nat 2s send b m 1": `a message "m" already`,
		people + "at 1s split a | x":                  `no participant "x"`,
		people + "network loss=2":                     "loss: a probability is from 0 to 1",
		people + "network delay=2s..1s":               "from the fastest to the slowest",
		people + "network speed=1":                    `no such option: "speed"`,
		people + "participant c keeps=memories":       "keeps is one of",
		people + "participant c fault=none":           "fault is one of",
		people + "seed":                               "one word is wanted, not 0",
		people + "lose m1":                            "too few words",
		people + "delay m1 b":                         "too few words",
		people + "at 1s disk a burns":                 "fails or works",
		people + "at 1s crash a calls=-1":             "below 0",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, and should say %q", text, err, want)
		}
	}
	script, err := Parse(people + `config {"speed": 1}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(script, Options{}); err == nil || !strings.Contains(err.Error(), `unknown key "speed"`) {
		t.Errorf("an unknown key gives %v", err)
	}
}
