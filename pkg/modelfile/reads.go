package modelfile

import (
	"errors"
	"math"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/vm/runtime"
)

// Names of our functions. The space keeps them out of reach of expressions.
const (
	fnRead    = "read name"    // (run, name)
	fnWhole   = "read all"     // (run)
	fnMember  = "read member"  // (value, key)
	fnPresent = "read element" // (value)
	fnStep    = "count step"   // (run, value)
	fnCharge  = "count size"   // (run, value)
	fnAdd     = "add"          // (run, a, b)
	fnInRange = "in range"     // (value, from, to)
	fnGuard   = "guarded "     // + the name of a builtin; (run, its arguments)
)

var (
	errMissing = errors.New("missing or null")
	errTooMuch = errors.New("takes too many steps or too much memory")
)

// withReads adds our functions to a configuration.
func withReads(config *conf.Config, s scope) {
	add := func(name string, fn func(args ...any) (any, error)) {
		config.Functions[name] = &builtin.Function{Name: name, Func: fn}
	}
	add(fnRead, func(args ...any) (any, error) {
		v, ok := s.read(args[0].(*run).subject, args[1].(string))
		return orMissing(v, ok)
	})
	add(fnWhole, func(args ...any) (any, error) {
		v, ok := s.whole(args[0].(*run).subject)
		return orMissing(v, ok)
	})
	add(fnMember, func(args ...any) (any, error) {
		v, ok := member(args[0], args[1])
		return orMissing(v, ok)
	})
	add(fnPresent, func(args ...any) (any, error) { return orMissing(args[0], args[0] != nil) })
	add(fnInRange, func(args ...any) (any, error) {
		return inRange(args[0], runtime.ToInt(args[1]), runtime.ToInt(args[2])), nil
	})
	addGuards(add)
}

func orMissing(v any, ok bool) (any, error) {
	if !ok {
		return nil, errMissing
	}
	return v, nil
}

// member reads a member of a map, an element of a list or a method of a date;
// false where it is missing or null. It panics where there can be none, which
// the virtual machine turns into an error.
func member(from, key any) (any, bool) {
	if m, ok := from.(map[string]any); ok {
		name, ok := key.(string)
		if !ok {
			return nil, false
		}
		v := m[name]
		return v, v != nil
	}
	v := runtime.Fetch(from, key)
	return v, !runtime.IsNil(v)
}

// inRange is `value in from..to`, without making the list.
func inRange(value any, from, to int) bool {
	switch v := value.(type) {
	case float64:
		return v == math.Trunc(v) && v >= float64(from) && v <= float64(to)
	case int:
		return v >= from && v <= to
	}
	return false
}
