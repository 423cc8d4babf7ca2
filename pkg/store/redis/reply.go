package redis

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
)

// answers reads what a server answered, in the form that it has on its way (RESP2), without
// making a value of each part.
type answers struct{ rest []byte }

// replyError is an error that the server answered.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError makes it a goredis.Error.
func (replyError) RedisError() {}

// line takes the next line apart: its first byte is the kind.
func (r *answers) line() (kind byte, text []byte, err error) {
	end := bytes.Index(r.rest, []byte("\r\n"))
	if end < 1 {
		return 0, nil, unexpected(string(r.rest))
	}
	kind, text = r.rest[0], r.rest[1:end]
	r.rest = r.rest[end+2:]
	if kind == '-' {
		return kind, nil, replyError(text)
	}
	return kind, text, nil
}

// array begins a list and is its length; of none at all the error is goredis.Nil.
func (r *answers) array() (int, error) {
	kind, text, err := r.line()
	switch n, ok := whole(text); {
	case err != nil:
		return 0, err
	case kind != '*' || !ok:
		return 0, unexpected(string(kind) + string(text))
	case n < 0:
		return 0, goredis.Nil
	default:
		return int(n), nil
	}
}

// text is the next text or number, which is valid as long as what is read. Of none the
// error is goredis.Nil.
func (r *answers) text() (kind byte, text []byte, err error) {
	kind, text, err = r.line()
	if err != nil || kind == '+' || kind == ':' {
		return kind, text, err
	}
	n, ok := whole(text)
	if kind == '$' && n == -1 {
		return kind, nil, goredis.Nil
	}
	if kind != '$' || !ok || n < 0 || n > int64(len(r.rest)-2) {
		return kind, nil, unexpected(string(kind) + string(text))
	}
	text, r.rest = r.rest[:n], r.rest[n+2:]
	return kind, text, nil
}

// whole is the whole number that a text says.
func whole(text []byte) (n int64, ok bool) {
	const digits = 18 // no overflow
	rest, negative := bytes.CutPrefix(text, []byte("-"))
	if len(rest) == 0 || len(rest) > digits {
		return 0, false
	}
	for _, c := range rest {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// due is the next text as a due instant, as a score says it.
func (r *answers) due() (int64, error) {
	_, text, err := r.text()
	if err != nil {
		return 0, err
	}
	if n, ok := whole(text); ok {
		return n, nil
	}
	score, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, unexpected(string(text))
	}
	if score >= float64(engine.NoDue) {
		return engine.NoDue, nil
	}
	return int64(score), nil
}

// scored is the next member of a sorted set, as an account that is due.
func (r *answers) scored() (name []byte, at int64, err error) {
	if _, name, err = r.text(); err == nil {
		at, err = r.due()
	}
	return name, at, err
}

// spoken brings a reply that was taken apart back into the form that answers read.
func spoken(out []byte, value any, err error) []byte {
	if err != nil && !errors.Is(err, goredis.Nil) {
		return append(append(append(out, '-'), err.Error()...), "\r\n"...)
	}
	switch v := value.(type) {
	case string:
		out = append(strconv.AppendInt(append(out, '$'), int64(len(v)), 10), "\r\n"...)
		return append(append(out, v...), "\r\n"...)
	case int64:
		return append(strconv.AppendInt(append(out, ':'), v, 10), "\r\n"...)
	case []any:
		out = append(strconv.AppendInt(append(out, '*'), int64(len(v)), 10), "\r\n"...)
		for _, part := range v {
			inner, _ := part.(error)
			out = spoken(out, part, inner)
		}
		return out
	}
	return append(out, "$-1\r\n"...)
}

// apart sends the commands each for itself, where no transaction can hold them all: to the
// nodes of a cluster.
func (b *bundle) apart(ctx context.Context, p goredis.Pipeliner) (answers, error) {
	cmds := make([]*goredis.Cmd, len(b.cmds))
	for i := range b.cmds {
		args := slices.Clone(b.cmds[i].Args())
		for n, arg := range args {
			if text, ok := arg.(*octets); ok {
				args[n] = string(*text) // by its key it finds its node
			}
		}
		cmds[i] = p.Do(ctx, args...)
	}
	all, _ := p.Exec(ctx) // each command has its own error
	if err := failure(all); err != nil {
		return answers{}, err
	}
	var raw []byte
	for _, cmd := range cmds {
		raw = spoken(raw, cmd.Val(), cmd.Err())
	}
	return answers{raw}, nil
}
