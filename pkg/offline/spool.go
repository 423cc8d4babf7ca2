package offline

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"

	"tidemark/scoring"
)

// spool keeps changes in a file and their order in memory: a late event may bring
// about a crossing long before those already made.
type spool struct {
	mu    sync.Mutex // guards the rest: accounts are scored at once
	file  io.ReadWriteSeeker
	w     *bufio.Writer
	index []place
	size  int64
}

// place is where a change lies in the spool.
type place struct {
	time    int64
	account string
	seq     uint64
	offset  int64
	length  int
}

func (s *spool) add(account string, c *scoring.Crossing, line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		s.w = bufio.NewWriterSize(s.file, 1<<20)
	}
	if _, err := s.w.Write(line); err != nil {
		return fmt.Errorf("spool a tier change: %w", err)
	}
	s.index = append(s.index, place{c.At, account, c.Seq, s.size, len(line)})
	s.size += int64(len(line))
	return nil
}

// each calls f with every change, ordered by (time, account, seq). The line is
// f's until it returns.
func (s *spool) each(f func(line []byte) error) error {
	if s.w == nil {
		return nil
	}
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("spool tier changes: %w", err)
	}
	slices.SortFunc(s.index, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.account, b.account), cmp.Compare(a.seq, b.seq))
	})
	var buf []byte
	for _, p := range s.index {
		if _, err := s.file.Seek(p.offset, io.SeekStart); err != nil {
			return fmt.Errorf("read spool: %w", err)
		}
		buf = slices.Grow(buf[:0], p.length)[:p.length]
		if _, err := io.ReadFull(s.file, buf); err != nil {
			return fmt.Errorf("read spool: %w", err)
		}
		if err := f(buf); err != nil {
			return err
		}
	}
	return nil
}
