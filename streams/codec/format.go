package codec

// Format is how the values of a topic are to be read. The zero value stands for
// CloudEvents. A record without a value in the profiles topic erases an account
// whatever the format.
type Format struct {
	segment    bool
	noProfiles bool
	mapper     Mapper
}

// Segment is the format of Segment's and RudderStack's calls.
func Segment() Format { return Format{segment: true} }

// SegmentWithoutProfiles is Segment where `group` calls say who belongs to an account
// and nothing of the account itself: something else owns the profiles.
func SegmentWithoutProfiles() Format { return Format{segment: true, noProfiles: true} }

// Mapping is the format of JSON of any shape, read by a Mapper.
func Mapping(m Mapper) Format { return Format{mapper: m} }

// format is the one by which a record is to be read.
func (d *Decoder) format(r *Record) Format {
	if len(d.rules.Formats) == 0 || d.erases(r) {
		return Format{}
	}
	return d.rules.Formats[r.Topic]
}

// erases reports whether a record is a tombstone of an account.
func (d *Decoder) erases(r *Record) bool {
	return r.Value == nil && r.Topic == d.rules.ProfilesTopic && r.Topic != ""
}
