package memory_test

import (
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/pkg/store/storetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Peers {
		s := memory.New(8)
		return func() engine.Store { return s.Peer() }
	})
}

func TestExtras(t *testing.T) {
	t.Parallel()
	storetest.RunExtras(t, func(*testing.T) func() storetest.Extras {
		s := memory.New(8)
		return func() storetest.Extras { return s.Peer() }
	})
}

func TestDesk(t *testing.T) {
	t.Parallel()
	storetest.RunDesk(t, func(*testing.T) func() storetest.Desk {
		d := memory.NewDesk()
		return func() storetest.Desk { return d }
	})
}
