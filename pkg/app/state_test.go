package app

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// An instance whose rounds no longer end says so, whatever it waits for.
func TestAStuckInstanceIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &state{changed: func() {}}
		if s.ready() == nil {
			t.Error("ready before it joined")
		}
		s.joined(1, 1)
		<-time.After(stuck)
		if err := s.ready(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Second)
		if err := s.ready(); err == nil || !strings.Contains(err.Error(), "nothing was stored for 11s") {
			t.Errorf("got %v, want it to say for how long nothing was stored", err)
		}
		s.progressed()
		if err := s.ready(); err != nil {
			t.Error(err)
		}
	})
}
