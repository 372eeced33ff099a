package world

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "shrink anew, and write testdata/faults")

// TestEachFaultIsNoticed: every invariant has a fault that breaks it, the seeds find
// it, and the short scripts in testdata/faults still show it, and nothing without
// it.
func TestEachFaultIsNoticed(t *testing.T) {
	broken := map[Invariant]bool{}
	for _, name := range Faults() {
		if name == "" {
			continue
		}
		_, breaks := Says(name)
		broken[breaks] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "faults", name+".txt")
			if *update {
				writeFault(t, name, breaks, path)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			script, err := Parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := run(t, script).Violation; got == nil || got.Invariant != breaks {
				t.Errorf("%s gives %v, and not %q", path, got, breaks)
			}
			for i := range script.Participants {
				script.Participants[i].Fault = ""
			}
			if got := run(t, script).Violation; got != nil {
				t.Errorf("%s without its fault gives %v", path, got)
			}
			seed, _ := find(t, name, breaks)
			t.Logf("found by seed %d", seed)
		})
	}
	for _, invariant := range Invariants() {
		if !broken[invariant] {
			t.Errorf("no fault breaks %q", invariant)
		}
	}
}

// find returns the first seed that notices a fault of a participant.
func find(t *testing.T, fault string, breaks Invariant) (uint64, *Script) {
	t.Helper()
	const most = 200
	for seed := range uint64(most) {
		script := Generate(seed)
		script.Participants[seed%uint64(len(script.Participants))].Fault = fault
		if got := run(t, script).Violation; got != nil && got.Invariant == breaks {
			return seed, script
		}
	}
	t.Fatalf("%d seeds do not notice it", most)
	return 0, nil
}

// writeFault shrinks what finds a fault to a script in testdata.
func writeFault(t *testing.T, name string, breaks Invariant, path string) {
	t.Helper()
	_, script := find(t, name, breaks)
	short, err := Shrink(script, 3000)
	if err != nil {
		t.Fatal(err)
	}
	says, _ := Says(name)
	short.Comments = []string{"A participant that " + says + ".", run(t, short).Violation.Error()}
	if err := os.WriteFile(path, []byte(short.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, script *Script) Result {
	t.Helper()
	result, err := Run(script, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestShrinkingMakesAShortScriptOfALongOne, which violates the same, and leaves alone
// what violates nothing.
func TestShrinkingMakesAShortScriptOfALongOne(t *testing.T) {
	_, script := find(t, "twice", AtMostOnce)
	short, err := Shrink(script, 3000)
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, short).Violation; got == nil || got.Invariant != AtMostOnce {
		t.Errorf("the short script gives %v", got)
	}
	if len(short.Participants) > 2 || len(short.Actions) > 2 || len(short.Fates) > 0 {
		t.Errorf("one sends, one hears twice, but the short script is\n%s", short)
	}
	peaceful := Generate(1)
	if same, err := Shrink(peaceful, 100); err != nil || same != peaceful {
		t.Errorf("a script without a violation was changed: %v", err)
	}
}

// TestTheFatesOfPayloadsCanBeWrittenOut: what chance did, said one by one, is the same
// run.
func TestTheFatesOfPayloadsCanBeWrittenOut(t *testing.T) {
	for seed := range uint64(30) {
		script := Generate(seed)
		script.Store = nil // whose chances are its own
		var explicit []Fate
		was, err := Run(script, Options{Explicit: &explicit})
		if err != nil {
			t.Fatal(err)
		}
		if len(explicit) == 0 {
			continue
		}
		written := script.clone()
		written.Fates = explicit
		again, err := Parse(written.String())
		if err != nil {
			t.Fatal(err)
		}
		if is := run(t, again); is.Hash != was.Hash {
			t.Errorf("seed %d: %d steps, and with its fates written out %d", seed, was.Steps, is.Steps)
		}
	}
}
