// Package lag says whether accounts are scored in time: what waits in each input
// partition and since when, whether anybody works on it, what is scored and not yet
// published, and which accounts would be MQAs if it were not for that.
//
// It asks Kafka and Redis through the interfaces Log and State and nobody else, so its
// answer holds when the service is dead. It writes nothing. The rules (Evaluate, Report)
// are values in, values out; Keeper looks again and again for a service that is alive.
// What cannot be known is said (Report.Faults), never guessed. The API is internal to
// Tidemark and may change; the JSON of a Report is part of the program's HTTP API.
package lag
