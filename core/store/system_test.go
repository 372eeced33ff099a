//go:build linux

package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/store"
)

func init() {
	children["refused file"] = unprivileged(refusedFile)
	children["refused folder"] = unprivileged(refusedFolder)
	children["read-only file system"] = readOnlyFileSystem
	children["full disk"] = onTmpfs(fullDisk)
	children["limited file"] = onLimit(fullDisk)
	children["unreadable folder"] = unprivileged(makeStore)
	children["no room to begin"] = noRoomOnTmpfs
	children["no length to begin"] = noLengthToBegin
	for _, sync := range []string{"full", "batch"} {
		children["full disk, "+sync] = onTmpfs(fullDiskBelowAManager(sync))
		children["limited file, "+sync] = onLimit(fullDiskBelowAManager(sync))
	}
}

func TestWhatIsNoRegularFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	fifo, socket := filepath.Join(dir, "fifo"), filepath.Join(dir, "socket")
	mustNot(t, syscall.Mkfifo(fifo, 0o600))
	listener, err := net.Listen("unix", socket)
	mustNot(t, err)
	defer func() { _ = listener.Close() }()
	for _, path := range []string{fifo, socket} {
		inTime(t, "Open", func() {
			if _, err := store.Open(path); !errors.Is(err, store.ErrNotRegular) || !strings.Contains(err.Error(), path) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// nobody is a user without rights.
const nobody = 65534

// unprivileged gives up the rights of root, if there are any, first.
func unprivileged(do func(path string) error) func(path string) error {
	return func(path string) error {
		if os.Getuid() == 0 {
			if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
				return err
			}
		}
		return do(path)
	}
}

// refusedFile expects that the file cannot be opened, for want of a permission.
func refusedFile(path string) error {
	_, err := store.Open(path)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) {
		return fmt.Errorf("%s: the error is %w", path, err)
	}
	return nil
}

func refusedFolder(path string) error {
	if err := refusedFile(path); err != nil {
		return err
	}
	// A store that is there and may be written needs nothing of its folder.
	s, err := store.Open(filepath.Join(filepath.Dir(path), "writable"))
	if err != nil {
		return err
	}
	return errors.Join(s.Commit(change("c", "m", 1<<40)), s.Close())
}

// sharedDir is a folder that everybody may enter.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	mustNot(t, errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755)))
	return dir
}

func TestAFileThatMayNotBeWrittenIsRefusedAndLeftAlone(t *testing.T) {
	content := filled(t)
	for _, mode := range []fs.FileMode{0o444, 0o222, 0} {
		t.Run(mode.String(), func(t *testing.T) {
			path := filepath.Join(sharedDir(t), "store")
			write(t, path, content)
			mustNot(t, os.Chmod(path, mode))
			run(t, child("refused file", path))
			mustNot(t, os.Chmod(path, 0o600))
			untouched(t, path, content, longAgo)
		})
	}
}

func TestAFolderThatMayNotBeWrittenTakesNoNewFile(t *testing.T) {
	dir := sharedDir(t)
	writable := filepath.Join(dir, "writable")
	fill(t, writable)
	mustNot(t, os.Chmod(writable, 0o666))
	mustNot(t, os.Chmod(dir, 0o555))
	run(t, child("refused folder", filepath.Join(dir, "store")))
	mustNot(t, os.Chmod(dir, 0o755))
	if _, err := os.Stat(filepath.Join(dir, "store")); err == nil {
		t.Error("there is a file")
	}
}

// inNamespace has a child mount what it likes: where nobody else sees it, and as
// any user whom the system lets.
func inNamespace(command *exec.Cmd) *exec.Cmd {
	attributes := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	command.SysProcAttr = attributes
	return command
}

// mounting runs a child that mounts. Where the system lets nobody mount, what
// the test can do without is all.
func mounting(t *testing.T, name, path string) {
	t.Helper()
	command := inNamespace(child(name, path))
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case !errors.As(err, &exit) || bytes.Contains(output, []byte(errNoMount.Error())):
		t.Logf("not tried with a file system of its own: %v %s", err, output)
	default:
		t.Errorf("%v: %s", err, output)
	}
}

var errNoMount = errors.New("the system lets this process mount nothing")

// mountTmpfs puts a small file system in memory in the place of a folder.
func mountTmpfs(dir string) error {
	if err := errors.Join(syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""), syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m")); err != nil {
		return fmt.Errorf("%w: %w", errNoMount, err)
	}
	return nil
}

func readOnlyFileSystem(path string) error {
	if err := mountTmpfs(filepath.Dir(path)); err != nil {
		return err
	}
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(s.Commit(change("c", "m", 1)), s.Close()); err != nil {
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := syscall.Mount("", filepath.Dir(path), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return err
	}
	for _, path := range []string{path, path + " that is new"} {
		if _, err := store.Open(path); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), path) {
			return fmt.Errorf("the error is %w", err)
		}
	}
	after, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(before, after) {
		err = errors.New("the file was touched")
	}
	return err
}

func TestAReadOnlyFileSystemIsRefused(t *testing.T) {
	mounting(t, "read-only file system", newPath(t))
}

// onTmpfs runs a test of a full disk on a file system that is one. makeRoom is
// what helps.
func onTmpfs(test func(path string, makeRoom func() error) error) func(path string) error {
	return func(path string) error {
		if err := mountTmpfs(filepath.Dir(path)); err != nil {
			return err
		}
		ballast := path + " ballast"
		if err := os.WriteFile(ballast, make([]byte, 600_000), 0o600); err != nil {
			return err
		}
		return test(path, func() error { return os.Remove(ballast) })
	}
}

// onLimit runs it with a limit to the length of files, which everybody may set.
func onLimit(test func(path string, makeRoom func() error) error) func(path string) error {
	return func(path string) error {
		signal.Ignore(syscall.SIGXFSZ)
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
		most := limit.Cur
		limit.Cur = 200_000
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
		return test(path, func() error {
			limit.Cur = most
			return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
		})
	}
}

// fullDisk commits until there is no room.
func fullDisk(path string, makeRoom func() error) error {
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	committed := uint64(0)
	commit := func() error {
		update := snapshot.HistoryUpdate{Append: []snapshot.HistoryRecord{record(fmt.Sprint("m", committed), committed, 3000)}}
		err := s.UpdateHistory("c", update)
		if err == nil {
			committed++
		}
		return err
	}
	intact := func() error {
		kept, err := s.LoadChannel("c")
		if err != nil {
			return err
		}
		if len(kept.History) != int(committed) {
			return fmt.Errorf("%d messages of %d", len(kept.History), committed)
		}
		for i, message := range kept.History {
			if want := record(fmt.Sprint("m", i), 0, 3000).Message; !bytes.Equal(want, message) {
				return fmt.Errorf("message %d is another", i)
			}
		}
		return nil
	}
	for err == nil {
		err = commit()
	}
	if !errors.Is(err, syscall.ENOSPC) && !strings.Contains(err.Error(), syscall.EFBIG.Error()) || !strings.Contains(err.Error(), path) || committed == 0 {
		return fmt.Errorf("after %d commits, the error is %w", committed, err)
	}
	for range 3 {
		if err := intact(); err != nil {
			return err
		}
		if err := commit(); err == nil {
			return errors.New("there is room again")
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = store.Open(path); err != nil {
		return err
	}
	if err := intact(); err != nil {
		return err
	}
	if err := makeRoom(); err != nil {
		return err
	}
	for range 20 {
		if err := commit(); err != nil {
			return err
		}
	}
	return errors.Join(intact(), s.Close())
}

// fullDiskBelowAManager has a manager go on while there is no room, and expects
// that the next operation afterwards saves everything.
func fullDiskBelowAManager(sync string) func(path string, makeRoom func() error) error {
	return func(path string, makeRoom func() error) error {
		config, err := core.ParseConfig(fmt.Appendf(nil, `{"storePath": %q, "storeSync": %q}`, path, sync))
		if err != nil {
			return err
		}
		complaints := &counter{}
		alice, err := core.New(core.Options{ParticipantID: "alice", Config: &config, Logger: slog.New(complaints)})
		if err != nil {
			return err
		}
		var sent []string
		wrap := func() error {
			sent = append(sent, fmt.Sprint("m", len(sent)))
			_, err := alice.Wrap(nil, "c", sent[len(sent)-1], make([]byte, 2000))
			return err
		}
		for complaints.n == 0 {
			if err := wrap(); err != nil {
				return err
			}
		}
		saved := len(sent) - 1
		for range 20 {
			if err := wrap(); err != nil {
				return fmt.Errorf("with a full disk: %w", err)
			}
		}
		if complaints.n < 2 || !strings.Contains(complaints.last, path) { // some may have found room
			return fmt.Errorf("%d complaints, the last: %s", complaints.n, complaints.last)
		}
		before := complaints.n
		if err := makeRoom(); err != nil {
			return err
		}
		if err := wrap(); err != nil {
			return err
		}
		alice.Close()
		if complaints.n != before {
			return fmt.Errorf("with room again: %s", complaints.last)
		}
		config.MaxCausalHistory = len(sent)
		if alice, err = core.New(core.Options{ParticipantID: "alice", Config: &config}); err != nil {
			return err
		}
		defer alice.Close()
		payload, err := alice.WrapSync(nil, "c")
		if err != nil {
			return err
		}
		cited, err := history(payload)
		if err != nil || !slices.Equal(sent, cited) {
			return fmt.Errorf("of %d messages, %d of them before the disk was full, there are %d: %w", len(sent), saved, len(cited), err)
		}
		return nil
	}
}

// counter counts what is logged.
type counter struct {
	n    int
	last string
}

func (c *counter) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (c *counter) WithAttrs([]slog.Attr) slog.Handler               { return c }
func (c *counter) WithGroup(string) slog.Handler                    { return c }

func (c *counter) Handle(_ context.Context, r slog.Record) error {
	c.n++
	c.last = r.Message
	r.Attrs(func(a slog.Attr) bool {
		c.last += " " + a.String()
		return true
	})
	return nil
}

func TestAFullDiskHarmsNothing(t *testing.T) {
	run(t, child("limited file", newPath(t)))
	mounting(t, "full disk", newPath(t))
}

func TestAManagerGoesOnWithAFullDiskAndCatchesUp(t *testing.T) {
	for _, sync := range []string{"full", "batch"} {
		t.Run(sync, func(t *testing.T) {
			run(t, child("limited file, "+sync, newPath(t)))
			mounting(t, "full disk, "+sync, newPath(t))
		})
	}
}

// beginsLater opens a store that there is no room for, makes room and opens it
// again.
func beginsLater(path string, want error, makeRoom func() error) error {
	if s, err := store.Open(path); err == nil {
		return errors.Join(errors.New("there was room"), s.Close())
	} else if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
		return fmt.Errorf("without room: %w", err)
	}
	if err := makeRoom(); err != nil {
		return err
	}
	if err := makeStore(path); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	return nil
}

func noRoomOnTmpfs(path string) error {
	dir := filepath.Dir(path)
	if err := mountTmpfs(dir); err != nil {
		return err
	}
	resize := func(size string) error {
		return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size)
	}
	if err := resize("16k"); err != nil {
		return err
	}
	return beginsLater(path, syscall.ENOSPC, func() error { return resize("1m") })
}

func noLengthToBegin(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	most := limit.Cur
	for i, length := range []uint64{0, 100, 4096, 8192, 12_000, 20_000, 32_000} {
		limit.Cur = length
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
		if err := beginsLater(fmt.Sprint(path, i), syscall.EFBIG, func() error {
			limit.Cur = most
			return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
		}); err != nil {
			return fmt.Errorf("files of up to %d bytes: %w", length, err)
		}
	}
	return nil
}

func TestAStoreThatThereIsNoRoomForCanBeMadeLater(t *testing.T) {
	run(t, child("no length to begin", newPath(t)))
	mounting(t, "no room to begin", newPath(t))
}

// TestAFolderThatCannotBeReadTakesANewStore: entering it and writing to it is
// enough.
func TestAFolderThatCannotBeReadTakesANewStore(t *testing.T) {
	dir := filepath.Join(sharedDir(t), "unreadable")
	mustNot(t, errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o333))) // whoever the test is
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	run(t, child("unreadable folder", filepath.Join(dir, "store")))
}

func makeStore(path string) error {
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(s.Commit(change("c", "m", 1)), s.Close())
}
