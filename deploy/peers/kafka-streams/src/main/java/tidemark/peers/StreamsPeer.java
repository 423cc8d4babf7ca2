package tidemark.peers;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The job on Kafka Streams: the processor API, one store with its changelog, a punctuator for what time does. */
public final class StreamsPeer {
    private static final String STORE = "accounts";

    private StreamsPeer() { }

    /** The payload's time, so that Streams reads the topic whose next event is older. */
    public static final class EventTime implements TimestampExtractor {
        @Override
        public long extract(ConsumerRecord<Object, Object> r, long partitionTime) {
            return ((Event) r.value()).at;
        }
    }

    private static final class Scorer implements Processor<String, Event, String, byte[]> {
        private record Due(long at, String account) { }

        private final PriorityQueue<Due> queue = new PriorityQueue<>(Comparator.comparingLong(Due::at));
        private final Map<String, Long> armed = new HashMap<>();
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> store;
        private final Consumer<Change> emit = c ->
            context.forward(new Record<>(c.data().account(), c.json(), System.currentTimeMillis()));

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            store = context.getStateStore(STORE);
            try (KeyValueIterator<String, byte[]> all = store.all()) {
                all.forEachRemaining(kv -> arm(kv.key, Account.read(ByteBuffer.wrap(kv.value)), 0));
            }
            if (Run.LIVE) context.schedule(Duration.ofSeconds(1), PunctuationType.WALL_CLOCK_TIME, this::fire);
            else context.schedule(Duration.ofMinutes(1), PunctuationType.STREAM_TIME, this::fire);
        }

        @Override
        public void process(Record<String, Event> r) {
            Event e = r.value();
            byte[] stored = store.get(e.subject);
            Account a = stored == null ? new Account() : Account.read(ByteBuffer.wrap(stored));
            if (a.apply(e, emit)) {
                put(e.subject, a);
                arm(e.subject, a, 0);
            }
            Run.count();
        }

        private void put(String account, Account a) {
            ByteBuffer b = ByteBuffer.allocate(Account.BYTES);
            a.write(b);
            store.put(account, b.array());
        }

        private void arm(String account, Account a, long from) {
            long at = a.nextCheck(from);
            if (at == 0) return;
            Long before = armed.get(account);
            if (before == null || at < before) {
                armed.put(account, at);
                queue.add(new Due(at, account));
            }
        }

        private void fire(long now) {
            while (!queue.isEmpty() && queue.peek().at <= now) {
                Due d = queue.poll();
                if (!armed.remove(d.account, d.at)) continue;
                Account a = Account.read(ByteBuffer.wrap(store.get(d.account)));
                long before = a.seq();
                a.settle(d.account, now, emit);
                if (a.seq() != before) put(d.account, a);
                arm(d.account, a, now);
            }
        }
    }

    private static Topology topology() {
        Deserializer<Event> events = (topic, json) -> Event.parse(json);
        Topology t = new Topology();
        t.addSource(AutoOffsetReset.earliest(), "events", new EventTime(), new StringDeserializer(), events, Run.TOPICS);
        t.addProcessor("scorer", Scorer::new, "events");
        t.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), Serdes.ByteArray())
            .withCachingEnabled(), "scorer");
        t.addSink("changes", Run.CHANGES, new StringSerializer(), new ByteArraySerializer(), "scorer");
        return t;
    }

    private static Properties settings() {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, Run.GROUP);
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, Run.BROKERS);
        p.put(StreamsConfig.STATE_DIR_CONFIG, Run.STATE_DIR);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, Run.setting("GUARANTEE"));
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L << 20);
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        if (Run.LIVE) p.put(StreamsConfig.producerPrefix("linger.ms"), 5); // 100 by default in Streams
        return p;
    }

    public static void main(String[] args) throws InterruptedException {
        KafkaStreams streams = new KafkaStreams(topology(), settings());
        CountDownLatch stopped = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) Run.ready();
            if (now == KafkaStreams.State.ERROR) Runtime.getRuntime().halt(1);
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(30));
            stopped.countDown();
        }));
        streams.start();
        stopped.await();
    }
}
