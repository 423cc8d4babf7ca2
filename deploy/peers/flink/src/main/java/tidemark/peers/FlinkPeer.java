package tidemark.peers;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.producer.ProducerRecord;

/** The job on Flink: one keyed process function with event-time timers, in an embedded cluster. */
public final class FlinkPeer {
    private static final TypeInformation<byte[]> BYTES = PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;

    private FlinkPeer() { }

    private static final class Parse extends AbstractDeserializationSchema<Event> {
        Parse() {
            super(Event.class);
        }

        @Override
        public Event deserialize(byte[] json) {
            return Event.parse(json);
        }
    }

    private static final class ToRecord implements KafkaRecordSerializationSchema<Tuple2<String, byte[]>> {
        @Override
        public ProducerRecord<byte[], byte[]> serialize(Tuple2<String, byte[]> change, KafkaSinkContext context, Long time) {
            return new ProducerRecord<>(Run.CHANGES, change.f0.getBytes(StandardCharsets.UTF_8), change.f1);
        }
    }

    /** An account's state is the time of its one valid timer, 0 for none, and the Account. */
    private static final class Scorer extends KeyedProcessFunction<String, Event, Tuple2<String, byte[]>> {
        private transient ValueState<byte[]> state;

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("account", BYTES));
            Run.ready();
        }

        @Override
        public void processElement(Event e, Context c, Collector<Tuple2<String, byte[]>> out) throws Exception {
            byte[] stored = state.value();
            long due = 0;
            Account a = new Account();
            if (stored != null) {
                ByteBuffer b = ByteBuffer.wrap(stored);
                due = b.getLong();
                a = Account.read(b);
            }
            if (a.apply(e, change -> emit(change, out))) {
                long at = a.nextCheck(0);
                if (at != 0 && (due == 0 || at < due)) {
                    c.timerService().registerEventTimeTimer(at);
                    due = at;
                }
                store(due, a);
            }
            Run.count();
        }

        @Override
        public void onTimer(long now, OnTimerContext c, Collector<Tuple2<String, byte[]>> out) throws Exception {
            ByteBuffer b = ByteBuffer.wrap(state.value());
            if (b.getLong() != now) return; // an earlier one took its place
            Account a = Account.read(b);
            a.settle(c.getCurrentKey(), now, change -> emit(change, out));
            long at = a.nextCheck(now);
            if (at != 0) c.timerService().registerEventTimeTimer(at);
            store(at, a);
        }

        private void store(long due, Account a) throws IOException {
            ByteBuffer b = ByteBuffer.allocate(8 + Account.BYTES).putLong(due);
            a.write(b);
            state.update(b.array());
        }

        private static void emit(Change c, Collector<Tuple2<String, byte[]>> out) {
            out.collect(Tuple2.of(c.data().account(), c.json()));
        }
    }

    private static Configuration settings() {
        Configuration c = new Configuration();
        c.setString("parallelism.default", "2");
        c.setString("pipeline.object-reuse", "true");
        c.setString("state.backend.type", Run.setting("BACKEND"));
        c.setString("state.backend.rocksdb.localdir", Run.STATE_DIR + "/rocksdb");
        c.setString("taskmanager.memory.managed.size", "512m");
        c.setString("execution.buffer-timeout.interval", Run.LIVE ? "5ms" : "100ms");
        c.setString("execution.checkpointing.interval", "10s");
        c.setString("execution.checkpointing.incremental", "true");
        c.setString("execution.checkpointing.dir", "file://" + Run.STATE_DIR + "/checkpoints");
        return c;
    }

    public static void main(String[] args) throws Exception {
        KafkaSource<Event> source = KafkaSource.<Event>builder()
            .setBootstrapServers(Run.BROKERS)
            .setTopics(Run.TOPICS)
            .setGroupId(Run.GROUP)
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setValueOnlyDeserializer(new Parse())
            .build();
        KafkaSink<Tuple2<String, byte[]>> sink = KafkaSink.<Tuple2<String, byte[]>>builder()
            .setBootstrapServers(Run.BROKERS)
            .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .setRecordSerializer(new ToRecord())
            .build();
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.getExecutionEnvironment(settings());
        flink.fromSource(source, WatermarkStrategy
                .<Event>forBoundedOutOfOrderness(Run.LIVE ? Duration.ofSeconds(1) : Duration.ofHours(1))
                .withTimestampAssigner((e, time) -> e.at), "events")
            .keyBy(e -> e.subject)
            .process(new Scorer())
            .returns(Types.TUPLE(Types.STRING, BYTES))
            .sinkTo(sink);
        flink.execute("tidemark-peer");
    }
}
