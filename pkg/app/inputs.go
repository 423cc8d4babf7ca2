package app

import (
	"fmt"

	"tidemark/pkg/config"
	"tidemark/pkg/mapping"
	"tidemark/streams/codec"
)

// Formats are how the topics are to be read that do not hold CloudEvents. The error
// says each mistake of each mapping file.
func Formats(c config.Config) (map[string]codec.Format, error) {
	formats := map[string]codec.Format{}
	for i, in := range c.Kafka.Inputs {
		switch in.Format {
		case config.FormatSegment:
			formats[in.Topic] = codec.Segment()
			if in.GroupProfiles == config.GroupProfilesIgnore {
				formats[in.Topic] = codec.SegmentWithoutProfiles()
			}
		case config.FormatMapped:
			m, err := mapping.Load(in.Mapping)
			if err != nil {
				return nil, fmt.Errorf("kafka.inputs[%d].mapping: %w", i, err)
			}
			formats[in.Topic] = codec.Mapping(m)
		}
	}
	return formats, nil
}
