package live

import (
	"errors"
	"strconv"
	"strings"
)

// Position is the next offset of each partition, by its number. Where it ends, partitions
// are at their beginning.
type Position []int64

// ErrPosition is returned for a text that is no position.
var ErrPosition = errors.New("not a position")

// mostPartitions bounds what is parsed.
const mostPartitions = 10_000

// String is the position as a text without spaces, such as 17.0.4.
func (p Position) String() string {
	var b strings.Builder
	for i, offset := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.FormatInt(offset, 10))
	}
	return b.String()
}

// ParsePosition reads what String wrote.
func ParsePosition(text string) (Position, error) {
	parts := strings.Split(text, ".")
	if len(parts) > mostPartitions {
		return nil, ErrPosition
	}
	out := make(Position, len(parts))
	for i, part := range parts {
		offset, err := strconv.ParseInt(part, 10, 64)
		if err != nil || offset < 0 || strconv.FormatInt(offset, 10) != part {
			return nil, ErrPosition
		}
		out[i] = offset
	}
	return out, nil
}

// at is the next offset of a partition.
func (p Position) at(partition int) int64 {
	if partition < len(p) {
		return p[partition]
	}
	return 0
}

// move moves a partition on.
func (p *Position) move(partition int, to int64) {
	for len(*p) <= partition {
		*p = append(*p, 0)
	}
	(*p)[partition] = to
}
