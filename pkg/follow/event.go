package follow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Record is a record of the topic.
type Record struct {
	Partition int
	Offset    int64
	Value     []byte
}

// Event is a CloudEvent with a number.
type Event struct {
	ID  string
	Key string // what the numbers count: the account, in tier-changes
	Seq uint64 // from 1
	// Missed is how many events of the key before this one were lost.
	Missed uint64
	// Caught says that it was read from the compacted topic, as the latest of its key.
	Caught bool
	Value  []byte // the whole event
}

// errNumber says what an id should be.
var errNumber = errors.New("id is not <key>/<seq>")

// ParseID splits the id of an event into what its numbers count and the number.
func ParseID(id string) (key string, seq uint64, err error) {
	slash := strings.LastIndexByte(id, '/')
	if slash <= 0 {
		return "", 0, errNumber
	}
	seq, err = strconv.ParseUint(id[slash+1:], 10, 64)
	if err != nil || seq == 0 {
		return "", 0, errNumber
	}
	return id[:slash], seq, nil
}

// Parse reads what a Follower needs to know of an event.
func Parse(value []byte) (Event, error) {
	var head struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(value, &head); err != nil {
		return Event{}, fmt.Errorf("not an event: %w", err)
	}
	key, seq, err := ParseID(head.ID)
	if err != nil {
		return Event{}, err
	}
	return Event{ID: head.ID, Key: key, Seq: seq, Value: value}, nil
}
