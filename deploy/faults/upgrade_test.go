package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tidemark/scoring"
)

func upgrades() []fault {
	return []fault{
		{"upgrade and roll-back, same layout", false, "each build goes on where the other stopped", sameLayout},
		{"upgrade to a newer layout of states, then roll-back", false, "the newer build reads the older's states; the older one refuses what the newer wrote, touches nothing and names the way out", newerStates},
		{"roll-back to a build that does not know the layout in Redis", false, "refuses to start, in words", newerStore},
	}
}

// build builds the program from a copy of the tree with a patch applied.
func build(t *testing.T, patch string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	done(t, copyTree(filepath.Join("..", ".."), dir))
	if patch != "" {
		text, err := os.ReadFile(filepath.Join("testdata", "builds", patch))
		done(t, err)
		if out, err := inDir(dir, text, "git", "apply", "-C1", "-"); err != nil {
			t.Fatalf("the patch no longer fits, make it anew: %v\n%s", err, out)
		}
	}
	path := filepath.Join(t.TempDir(), "tidemark")
	if out, err := inDir(dir, nil, "go", append(append([]string{"build", "-tags", "failpoints", "-o", path}, args...), "./cmd/tidemark")...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(path, "version").Output()
	done(t, err)
	t.Logf("built %s", out)
	return path
}

// turns lets one build after the other serve under the same traffic, by kill and by
// stop in turns.
func (w *world) turns(programs ...string) {
	w.t.Helper()
	for n, program := range programs {
		w.program = program
		i := w.serve()
		w.flowing(100)
		if n%2 == 0 {
			i.stop()
		} else {
			i.kill()
		}
	}
}

func sameLayout(t *testing.T, s *seen) {
	next := build(t, "", "-ldflags", "-X main.version=next")
	w := newWorld(t, setup{})
	tr := w.traffic(usualMix(61))
	w.turns(built, next, built, next)
	w.program = built
	i := w.serve()
	s.recovered = w.fresh()
	tr.stop()
	r := w.verified()
	s.figure("four turns by two builds; %d events, %d tier changes, %d repeats", r.Events, r.Changes, r.Repeats)
	i.stop()
}

func newerStates(t *testing.T, s *seen) {
	next := build(t, "newer-states.patch")
	w := newWorld(t, setup{})
	tr := w.traffic(usualMix(62))
	w.turns(built, next)
	w.program = built
	w.start().refuses("the state was written by a newer version of tidemark")
	w.program = next
	i := w.serve()
	s.recovered = w.fresh()
	w.flowing(50)
	tr.stop()
	w.label = scoring.Layout + 1 // the newer layout differs in its number only
	r := w.verified()
	s.figure("exit code 1; with the newer build again: %d events, %d tier changes, %d repeats", r.Events, r.Changes, r.Repeats)
	i.stop()
}

func newerStore(t *testing.T, s *seen) {
	next := build(t, "newer-store.patch")
	w := newWorld(t, setup{})
	tr := w.traffic(usualMix(63))
	w.turns(next)
	w.program = built
	w.start().refuses("it was written by a newer version", "run that version")
	tr.stop()
	s.figure("exit code 1")
}
