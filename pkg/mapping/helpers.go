package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/expr-lang/expr"

	"tidemark/streams/codec"
)

// misuse is why a function of ours fails. It holds no data.
type misuse string

func (m misuse) Error() string { return string(m) }

// helpers are our own functions. What is null stays null, but for hash.
func helpers() []expr.Option {
	text := func(name string, fn func(string) (any, error)) expr.Option {
		return expr.Function(name, func(args ...any) (any, error) {
			if args[0] == nil {
				return nil, nil
			}
			s, ok := args[0].(string)
			if !ok {
				return nil, misuse(name + " takes a text")
			}
			return fn(s)
		}, new(func(any) any))
	}
	return []expr.Option{
		// day("2026-11-02") is the first instant of that day in UTC, for rows that have a date only.
		text("day", day),
		// host("https://www.acme.example/x") is acme.example.
		text("host", func(s string) (any, error) { return codec.Host(s), nil }),
		// snake("Demo Requested") is demo_requested.
		text("snake", func(s string) (any, error) { return codec.Snake(s), nil }),
		// hash(a, b, …) makes an id of what tells a row from others: 32 hex digits.
		expr.Function("hash", hash, new(func(...any) string)),
		// pick(row, "a", "b") has those members only, those that are there.
		expr.Function("pick", choose("pick", true), new(func(any, ...string) map[string]any)),
		// without(row, "a", "b") has the others only.
		expr.Function("without", choose("without", false), new(func(any, ...string) map[string]any)),
	}
}

func day(s string) (any, error) {
	at, err := time.Parse(time.DateOnly, strings.TrimSpace(s))
	if err != nil {
		return nil, misuse("day takes a date such as 2026-11-02")
	}
	return at, nil
}

// hash refuses null: rows that lack what tells them apart would all be the same.
func hash(args ...any) (any, error) {
	if len(args) == 0 {
		return nil, misuse("hash takes at least one value")
	}
	sum := sha256.New()
	for _, arg := range args {
		text, err := toText(arg)
		if err != nil || text == "" {
			return nil, misuse("hash takes texts and numbers that are not empty")
		}
		fmt.Fprintf(sum, "%d:%s", len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

func choose(name string, named bool) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		from, ok := args[0].(map[string]any)
		if !ok && args[0] != nil {
			return nil, misuse(name + " takes an object")
		}
		out := map[string]any{}
		if !named {
			maps.Copy(out, from)
		}
		for _, arg := range args[1:] {
			key := arg.(string)
			if value, has := from[key]; named && has {
				out[key] = value
			} else if !named {
				delete(out, key)
			}
		}
		return out, nil
	}
}
