package sds

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	libraryModule = "github.com/libsds/libsds"
	bindingModule = libraryModule + "/bindings/go"
	oldModule     = "github.com/logos-messaging/sds-go-bindings"
	olderModule   = "github.com/waku-org/sds-go-bindings" // the name that it had first
)

// expected is what the example prints, whoever implements the package.
const expected = "../example/expected.txt"

// host is a module beside this tree, with the example as its program.
type host struct {
	dir string
	env []string
}

// newHost makes one that requires the old module under a name, as its users do.
func newHost(t *testing.T, module string) *host {
	t.Helper()
	h := &host{dir: t.TempDir()}
	program, err := os.ReadFile("../example/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(program, []byte(oldModule+"/sds\"")) != 1 {
		t.Fatalf("the example does not import %s", oldModule)
	}
	h.write(t, "main.go", strings.Replace(string(program), oldModule+"/sds\"", module+"/sds\"", 1))
	h.write(t, "go.mod", fmt.Sprintf("module host\n\ngo 1.25.0\n\nrequire (\n\t%s v0.0.0\n\tgo.uber.org/zap v1.27.0\n)\n", module))
	// Without cgo, in a cache that is not shared: what is published here is not.
	h.env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-modcacherw -trimpath", "GOSUMDB=off",
		"GOMODCACHE="+filepath.Join(t.TempDir(), "modules"))
	return h
}

func (h *host) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// add appends a line to the host's go.mod.
func (h *host) add(t *testing.T, line string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "go.mod", string(text)+"\n"+line+"\n")
}

func (h *host) run(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.Command("go", arguments...)
	command.Dir, command.Env = h.dir, h.env
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s%s", strings.Join(arguments, " "), err, output, &problems)
	}
	return string(output)
}

// check builds and runs the host.
func (h *host) check(t *testing.T) {
	t.Helper()
	h.run(t, "mod", "tidy")
	printed, err := os.ReadFile(expected)
	if err != nil {
		t.Fatal(err)
	}
	if output := h.run(t, "run", "."); output != string(printed) {
		t.Errorf("the program prints\n%s\nnot\n%s", output, printed)
	}
	if packages := strings.Fields(h.run(t, "list", "-deps", ".")); slices.Contains(packages, "runtime/cgo") {
		t.Error("the program needs cgo")
	}
}

// publish makes a proxy of the go command that has the modules of this tree, as a
// release would publish them, and after it those that were used before.
func publish(t *testing.T, version string) (goproxy string) {
	t.Helper()
	proxy := t.TempDir()
	publishModule(t, proxy, libraryModule, version, "../../..", func(path string) bool {
		return strings.HasPrefix(path, "core/") || strings.HasPrefix(path, "internal/") // which core's tests import
	})
	publishModule(t, proxy, bindingModule, version, "..", func(path string) bool {
		return strings.HasPrefix(path, "sds/")
	})
	return "file://" + proxy + "," + used(t)
}

// used is a proxy of the modules that the go command has fetched for this one, and
// after it the user's own.
func used(t *testing.T) string {
	t.Helper()
	output, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return "file://" + lines[0] + "/cache/download," + lines[1]
}

func publishModule(t *testing.T, proxy, module, version, root string, belongs func(path string) bool) {
	t.Helper()
	dir := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.MkdirAll(dir, 0o755))
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	check(err)
	check(os.WriteFile(filepath.Join(dir, "list"), []byte(version+"\n"), 0o644))
	check(os.WriteFile(filepath.Join(dir, version+".info"), fmt.Appendf(nil, `{"Version":%q}`, version), 0o644))
	check(os.WriteFile(filepath.Join(dir, version+".mod"), mod, 0o644))
	file, err := os.Create(filepath.Join(dir, version+".zip"))
	check(err)
	archive := zip.NewWriter(file)
	add := func(path string) {
		content, err := os.ReadFile(filepath.Join(root, path))
		check(err)
		entry, err := archive.Create(module + "@" + version + "/" + filepath.ToSlash(path))
		check(err)
		_, err = entry.Write(content)
		check(err)
	}
	add("go.mod")
	check(fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == "build" || path == ".git"):
			return fs.SkipDir
		case entry.Type().IsRegular() && belongs(path):
			add(path)
		}
		return nil
	}))
	check(archive.Close())
	check(file.Close())
}

// required is the version of the library that this module names.
func required(t *testing.T) string {
	t.Helper()
	version, err := os.ReadFile("../../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	return "v" + strings.TrimSpace(string(version))
}

func TestTheModuleRequiresTheLibraryOfItsTree(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := libraryModule + " " + required(t) + "\n"; !strings.Contains(string(mod), want) {
		t.Errorf("go.mod has no requirement %s", want)
	}
}

func TestOneLineMovesAProgramToTheReleasedModule(t *testing.T) {
	version := required(t)
	proxy := publish(t, version)
	for _, module := range []string{oldModule, olderModule} {
		t.Run(filepath.Base(filepath.Dir(module)), func(t *testing.T) {
			h := newHost(t, module)
			h.env = append(h.env, "GOPROXY="+proxy)
			h.add(t, fmt.Sprintf("replace %s => %s %s", module, bindingModule, version))
			h.check(t)
		})
	}
}

func TestOneLineMovesAProgramToACheckoutOfAReleasedModule(t *testing.T) {
	h := newHost(t, oldModule)
	h.env = append(h.env, "GOPROXY="+publish(t, required(t)))
	h.add(t, fmt.Sprintf("replace %s => %s", oldModule, absolute(t, "..")))
	h.check(t)
}

func TestAnUnreleasedCheckoutNeedsALineForTheLibraryToo(t *testing.T) {
	h := newHost(t, oldModule)
	h.env = append(h.env, "GOPROXY="+used(t))
	h.add(t, fmt.Sprintf("replace %s => %s", oldModule, absolute(t, "..")))
	h.add(t, fmt.Sprintf("replace %s => %s", libraryModule, absolute(t, "../../..")))
	h.check(t)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
