package tidemark.peers;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;

/** What the job reads of a CloudEvent. */
@JsonIgnoreProperties(ignoreUnknown = true)
public final class Event {
    private static final ObjectReader READER = new ObjectMapper().readerFor(Event.class);

    public String id;
    public String type;
    public String time;
    public String subject;
    public Data data;
    /** The time in milliseconds. */
    public long at;

    @JsonIgnoreProperties(ignoreUnknown = true)
    public static final class Data {
        public Contact contact;
        public Properties properties;
    }

    @JsonIgnoreProperties(ignoreUnknown = true)
    public static final class Contact {
        public String title;
        public String seniority;
    }

    @JsonIgnoreProperties(ignoreUnknown = true)
    public static final class Properties {
        public String path;
    }

    public static Event parse(byte[] json) {
        try {
            Event e = READER.readValue(json);
            e.at = Instant.parse(e.time).toEpochMilli();
            return e;
        } catch (IOException ex) {
            throw new UncheckedIOException(ex);
        }
    }
}
