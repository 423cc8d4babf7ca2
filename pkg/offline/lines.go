package offline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Line is a line of a file and what was made of it.
type Line[T any] struct {
	Number int    // from 1
	Text   []byte // without its end; good until take returns
	Value  T
}

// block is some whole lines on their way.
type block[T any] struct {
	text  []byte
	first int // number of its first line
	lines []Line[T]
	ready chan struct{} // closed once the lines are made
}

// blockSize is how much is read at a time, in bytes.
const blockSize = 1 << 20

// ErrLineTooLong is returned by Lines for a line above the limit.
var ErrLineTooLong = errors.New("the line is too long")

// Lines reads lines and calls take with them in their order, many at a time, empty
// ones left out. value is called by several goroutines at once, and what it returns
// must not keep the text. A line may be limit bytes long, or a block where that is more.
func Lines[T any](ctx context.Context, in io.Reader, limit int, value func(text []byte) T, take func([]Line[T]) error) error {
	workers := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	work, ordered := make(chan *block[T]), make(chan *block[T], 2*workers)
	group.Go(func() error {
		defer close(work)
		defer close(ordered)
		return blocks(in, limit, func(b *block[T]) error {
			for _, to := range []chan *block[T]{ordered, work} {
				select {
				case to <- b:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
	})
	for range workers {
		group.Go(func() error {
			for b := range work {
				b.fill(value)
				close(b.ready)
			}
			return nil
		})
	}
	group.Go(func() error {
		for b := range ordered {
			select {
			case <-b.ready:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if err := take(b.lines); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// fill makes the values of the block's lines.
func (b *block[T]) fill(value func([]byte) T) {
	n := b.first
	for line := range bytes.Lines(b.text) {
		if line = trimEnd(line); len(line) > 0 {
			b.lines = append(b.lines, Line[T]{Number: n, Text: line, Value: value(line)})
		}
		n++
	}
}

// trimEnd takes the end of the line away, as bufio.ScanLines does.
func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

// blocks cuts what it reads behind the ends of lines.
func blocks[T any](in io.Reader, limit int, give func(*block[T]) error) error {
	var rest []byte // the beginning of a line
	number := 1
	for {
		text := make([]byte, len(rest)+blockSize)
		copy(text, rest)
		n, err := io.ReadFull(in, text[len(rest):])
		text = text[:len(rest)+n]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return fmt.Errorf("line %d: %w", number, err)
		}
		end := len(text)
		if !last {
			end = bytes.LastIndexByte(text, '\n') + 1
		}
		if rest = text[end:]; len(rest) > limit {
			return fmt.Errorf("line %d: %w", number+bytes.Count(text[:end], []byte("\n")), ErrLineTooLong)
		}
		if end > 0 {
			b := &block[T]{text: text[:end:end], first: number, ready: make(chan struct{})}
			number += bytes.Count(b.text, []byte("\n"))
			if err := give(b); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}
