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
	Text   []byte // without its end; good until Take returns
	Value  T
}

// Memory is what values are made in.
type Memory interface {
	// Reset takes back all that was made.
	Reset()
}

// Lines reads lines and hands them on in their order, many at a time, empty ones left out.
type Lines[M Memory, T any] struct {
	In io.Reader
	// Limit is how long a line may be, in bytes; or a block where that is more.
	Limit int
	// Memory makes the memory for the values of a block of lines. It is Reset and used for
	// another block once Take has returned.
	Memory func() M
	// Value is called by several goroutines at once, each with a memory of its own. What it
	// returns may refer to the text.
	Value func(memory M, text []byte) T
	Take  func([]Line[T]) error
}

// block is some whole lines on their way.
type block[M Memory, T any] struct {
	text   []byte
	first  int // number of its first line
	lines  []Line[T]
	memory M
	ready  chan struct{} // told once the lines are made
}

// blockSize is how much is read at a time, in bytes.
const blockSize = 1 << 20

// ErrLineTooLong is returned by Lines for a line above the limit.
var ErrLineTooLong = errors.New("the line is too long")

// Read reads until the end or the first error.
func (l *Lines[M, T]) Read(ctx context.Context) error {
	workers := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	work, ordered := make(chan *block[M, T]), make(chan *block[M, T], 2*workers)
	spare := make(chan *block[M, T], cap(ordered))
	group.Go(func() error {
		defer close(work)
		defer close(ordered)
		return l.blocks(spare, func(b *block[M, T]) error {
			for _, to := range []chan *block[M, T]{ordered, work} {
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
				b.fill(l.Value)
				b.ready <- struct{}{}
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
			if err := l.Take(b.lines); err != nil {
				return err
			}
			select {
			case spare <- b:
			default:
			}
		}
		return nil
	})
	return group.Wait()
}

// fill makes the values of the block's lines.
func (b *block[M, T]) fill(value func(M, []byte) T) {
	n := b.first
	for line := range bytes.Lines(b.text) {
		if line = trimEnd(line); len(line) > 0 {
			b.lines = append(b.lines, Line[T]{Number: n, Text: line, Value: value(b.memory, line)})
		}
		n++
	}
}

// trimEnd takes the end of the line away, as bufio.ScanLines does.
func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

// blocks cuts what it reads behind the ends of lines.
func (l *Lines[M, T]) blocks(spare <-chan *block[M, T], give func(*block[M, T]) error) error {
	var rest []byte // the beginning of a line
	number := 1
	for {
		b := l.block(spare, len(rest)+blockSize)
		copy(b.text, rest)
		n, err := io.ReadFull(l.In, b.text[len(rest):])
		text := b.text[:len(rest)+n]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return fmt.Errorf("line %d: %w", number, err)
		}
		end := len(text)
		if !last {
			end = bytes.LastIndexByte(text, '\n') + 1
		}
		if len(text)-end > l.Limit {
			return fmt.Errorf("line %d: %w", number+bytes.Count(text[:end], []byte("\n")), ErrLineTooLong)
		}
		rest = append(rest[:0], text[end:]...) // the block is not ours once it is given
		b.text, b.first = text[:end], number
		number += bytes.Count(b.text, []byte("\n"))
		if err := give(b); err != nil || last {
			return err
		}
	}
}

// block is one with that much text, in memory that was used before if there is some.
func (l *Lines[M, T]) block(spare <-chan *block[M, T], size int) *block[M, T] {
	select {
	case b := <-spare:
		b.memory.Reset()
		b.lines = b.lines[:0]
		if b.text = b.text[:0]; cap(b.text) < size || cap(b.text) > 4*size {
			b.text = make([]byte, size)
		}
		b.text = b.text[:size]
		return b
	default:
		return &block[M, T]{text: make([]byte, size), memory: l.Memory(), ready: make(chan struct{}, 1)}
	}
}
