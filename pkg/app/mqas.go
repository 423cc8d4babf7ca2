package app

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/desk"
	"tidemark/pkg/route"
)

// ErrRoutingOff is returned by OpenDesk where the configuration names no routing file.
var ErrRoutingOff = errors.New("routing: is empty, so no MQA is routed: name a routing file (configs/routing.yaml is one)")

// OpenDesk opens the desk of MQAs for a command. It works on the store itself, whether
// or not `serve` runs; what is to be published is published by `serve`. Whoever opened
// it calls done.
func OpenDesk(ctx context.Context, c config.Config, log zerolog.Logger) (d *desk.Desk, plan *route.Plan, done func(), err error) {
	if plan, err = ReadRouting(c); err != nil {
		return nil, nil, nil, err
	}
	if plan == nil {
		return nil, nil, nil, ErrRoutingOff
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	store, err := OpenStore(ctx, c, false, log)
	if err != nil {
		return nil, nil, nil, err
	}
	d, err = newDesk(c, plan, store, func() int64 { return time.Now().UnixMilli() })
	if err != nil {
		return nil, nil, nil, errors.Join(err, store.Close())
	}
	return d, plan, func() { store.Close() }, nil //nolint:errcheck // everything is stored
}
