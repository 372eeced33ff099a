// Package crash kills a process that uses the built-in store, over and over
// again, and holds the file to what the process had been told.
package crash

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/libsds/libsds/core"
)

var (
	seedFlag  = flag.Uint64("crash.seed", 0, "the seed to repeat; 0 is a new one")
	killsFlag = flag.Int("crash.kills", 1000, "how often each mode is killed")
)

// childVariable makes the test binary a participant: its arguments are path,
// mode, seed and run, and its pipe is descriptor 3.
// Its value is many, to live until it is killed, or single, to do a number of
// operations, one after the other.
const (
	childVariable = "LIBSDS_CRASH_TEST_CHILD"
	many          = "many"
	single        = "single"
	operations    = 200
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		participate(os.Args[1:])
	}
	flag.Parse()
	os.Exit(m.Run())
}

func participate(arguments []string) {
	seed, seedErr := strconv.ParseUint(arguments[2], 10, 64)
	run, runErr := strconv.Atoi(arguments[3])
	config, configErr := core.ParseConfig(fmt.Appendf(nil, `{
		"storePath": %q, "storeSync": %q, "maxMessageHistory": %d, "maxIncomingMessages": %d,
		"maxOutgoingMessages": 30, "resendIntervalMs": 5, "maxResendAttempts": 1, "bufferSweepIntervalMs": 1,
		"missingDependencyTimeoutMs": 100, "repairTMinMs": 5, "repairTMaxMs": 50, "repairSweepIntervalMs": 5,
		"bloomFilterCapacity": 100, "maxCausalHistory": 4
	}`, arguments[0], arguments[1], maxHistory, maxIncoming))
	if err := errors.Join(seedErr, runErr, configErr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	p := &participant{config: config, pipe: os.NewFile(3, "pipe"), seed: seed, run: run}
	if os.Getenv(childVariable) == single {
		p.work(operations)
		os.Exit(0)
	}
	p.live()
}

// livesOfAFile is how often a file is used again, before a new one is begun.
const livesOfAFile = 50

// newPath returns where the n-th file of a test is: by turns on a disk, where
// most of the time goes by waiting for it, and in memory, where there is one.
func newPath(t *testing.T, n int) string {
	const memory = "/dev/shm"
	dir := t.TempDir()
	if info, err := os.Stat(memory); n%2 == 1 && err == nil && info.IsDir() {
		if inMemory, err := os.MkdirTemp(memory, "libsds-crash-"); err == nil {
			dir = inMemory
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
		}
	}
	return filepath.Join(dir, "store")
}

// neverTold lists the kinds of lines that have not occurred.
func neverTold(told map[string]int) []string {
	return slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return told[kind] > 0 })
}

// TestAKilledProcessHasEverythingThatItWasTold: killed at any moment, also while
// it opens or closes the store, and while it recovers from the last time.
func TestAKilledProcessHasEverythingThatItWasTold(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d (-crash.seed)", seed)
	for _, mode := range []string{"full", "batch"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, uint64(len(mode))))
			var l *ledger
			var path string
			told := map[string]int{}
			run := 0
			// A slow machine kills sooner than rare things happen: it goes on for them.
			for ; run < *killsFlag || *killsFlag >= 1000 && run < 3**killsFlag && len(neverTold(told)) > 0; run++ {
				if run%livesOfAFile == 0 {
					l, path = newLedger(told), newPath(t, run/livesOfAFile)
				}
				lines, err := live(path, mode, random, run)
				for _, line := range lines {
					err = errors.Join(err, l.enter(line))
				}
				if err = errors.Join(err, l.audit(path)); err != nil {
					t.Fatalf("run %d, after %d lines: %v", run, len(lines), err)
				}
			}
			t.Logf("%d kills; what was told, and held: %v", run, told)
			if never := neverTold(told); *killsFlag >= 1000 && len(never) > 0 {
				t.Errorf("it was never %q", never)
			}
		})
	}
}

// live begins a life of a participant and ends it. It returns what the
// participant was told.
func live(path, mode string, random *rand.Rand, run int) (told []string, err error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	var stderr bytes.Buffer
	command := exec.Command(os.Args[0], path, mode, strconv.FormatUint(random.Uint64(), 10), strconv.Itoa(run))
	command.Env = append(os.Environ(), childVariable+"="+many)
	command.ExtraFiles = []*os.File{writer}
	command.Stderr = &stderr
	if err := errors.Join(command.Start(), writer.Close()); err != nil {
		return nil, err
	}
	// Most are killed some time after they have opened the store, the others
	// some time after they began.
	afterOpen := random.IntN(10) > 0
	delay := time.Duration(random.Int64N(int64(30 * time.Millisecond)))
	kill := func() { _ = command.Process.Kill() } // it may have ended by itself, which is told below
	if !afterOpen {
		time.AfterFunc(2*delay, kill)
	}
	input := bufio.NewReader(reader)
	for {
		line, err := input.ReadString('\n')
		if err != nil {
			break // what was cut off was not told
		}
		told = append(told, line[:len(line)-1])
		if len(told) == 1 && afterOpen {
			time.AfterFunc(delay, kill)
		}
	}
	if err := command.Wait(); command.ProcessState.Exited() || stderr.Len() > 0 {
		return told, fmt.Errorf("it ended by itself: %w: %s", err, stderr.Bytes())
	}
	return told, nil
}
