// Package mapping turns any JSON into events by a mapping file: a YAML file with an
// expression for each attribute.
//
//	each: message.rows              # one message may hold many rows; without it, the message is the row
//	when: row.score >= 60           # other rows are passed over
//	time_unit: ms                   # s, ms or us: times are numbers; without it, they are RFC 3339
//	events:                         # each row gives each of these
//	  - when: row.type == "OPEN"
//	    id: row.id                  # required: the same thing must have the same id when it comes again
//	    source: '"hubspot"'
//	    type: '"engagement.email_open"'
//	    time: row.created
//	    contact: {email: row.recipient}
//	    user: row.user_id           # who acted: rows with a subject teach whose account the user's are without one
//	    properties: {campaign: row.emailCampaignId}
//	  - id: row.id                  # a profile, since it has attributes
//	    source: '"crm"'
//	    time: row.updated
//	    subject: row.domain
//	    attributes: pick(row, "industry", "employees")
//	  - when: row.gone              # a profile's end: the account is erased
//	    erases: account
//
// Expressions are expr-lang's over row, message, topic, key, headers and arrived (the record's
// timestamp, Unix milliseconds), with functions of our own (helpers.go). A value that is missing is null, and a
// member of null is a fault unless it is read with ?. Null leaves an attribute
// out. Whatever fails names its attribute.
//
// Load is strict: every mistake is told with its line. A Mapping is compiled once,
// safe for concurrent use, and gives the same events for the same bytes. Loops within loops and what
// could grow without bound are refused, so that the cost of a message is bounded by
// its size.
//
// The API is internal to Tidemark and may change.
package mapping
