package tidemark.peers;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;

/** A tier change, with the names that Tidemark's own have, so that one reader serves both. */
public record Change(String id, String time, Data data) {
    private static final ObjectMapper JSON = new ObjectMapper();

    public record Data(String account, long seq, String from, String to, String direction, double score, Cause cause) { }

    public record Cause(String kind, String id) { }

    public byte[] json() {
        try {
            return JSON.writeValueAsBytes(this);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
