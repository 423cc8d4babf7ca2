package modelfile

import (
	"errors"
	"time"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"
)

// guard is a builtin with its cost, or made to come to the same everywhere.
type guard func(r *run, args []any) (any, error)

// guarded are the builtins that could build without bound, or depend on the
// order of a Go map or on the machine's time zone.
var guarded = map[string]guard{
	"replace":  paying("replace", product),
	"join":     paying("join", product),
	"repeat":   guardRepeat,
	"concat":   paying("concat", sum),
	"flatten":  paying("flatten", sum),
	"string":   paying("string", sum),
	"toJSON":   paying("toJSON", sum),
	"uniq":     paying("uniq", square),
	"keys":     guardKeys,
	"values":   guardValues,
	"toPairs":  guardPairs,
	"date":     guardDate,
	"timezone": guardZone,
}

func addGuards(add func(string, func(...any) (any, error))) {
	add(fnStep, func(args ...any) (any, error) {
		r := args[0].(*run)
		return args[1], r.pay(1 + size(args[1], r.left))
	})
	add(fnCharge, func(args ...any) (any, error) {
		r := args[0].(*run)
		return args[1], r.pay(size(args[1], r.left))
	})
	add(fnAdd, func(args ...any) (any, error) {
		r := args[0].(*run)
		if err := r.pay(sum(args[1:], r.left)); err != nil {
			return nil, err
		}
		return runtime.Add(args[1], args[2]), nil
	})
	for name, fn := range guarded {
		add(fnGuard+name, func(args ...any) (any, error) { return fn(args[0].(*run), args[1:]) })
	}
}

// paying takes the cost before the builtin runs.
func paying(name string, cost func(args []any, limit int) int) guard {
	return func(r *run, args []any) (any, error) {
		if err := r.pay(cost(args, r.left)); err != nil {
			return nil, err
		}
		return invoke(name, args)
	}
}

func invoke(name string, args []any) (any, error) {
	f := builtin.Builtins[builtin.Index[name]]
	switch {
	case f.Fast != nil:
		return f.Fast(args[0]), nil
	case f.Safe != nil:
		v, _, err := f.Safe(args...)
		return v, err
	}
	return f.Func(args...)
}

func guardRepeat(r *run, args []any) (any, error) {
	times := runtime.ToInt(args[1])
	if times > purse {
		return nil, errTooMuch
	}
	if err := r.pay(len(args[0].(string)) * max(times, 0)); err != nil {
		return nil, err
	}
	return invoke("repeat", args)
}

var errLocal = errors.New("the local zone differs between machines")

// guardDate reads a date without a zone as UTC.
func guardDate(_ *run, args []any) (any, error) {
	if len(args) == 3 && args[2] == "Local" {
		return nil, errLocal
	}
	if _, ok := args[0].(*time.Location); !ok {
		args = append([]any{time.UTC}, args...)
	}
	return invoke("date", args)
}

func guardZone(_ *run, args []any) (any, error) {
	if args[0] == "Local" {
		return nil, errLocal
	}
	return invoke("timezone", args)
}
