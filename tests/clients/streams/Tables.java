import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;

/**
 * Keeps a topic as a table in a store, and prints it when so many records were read: key and event.
 * Before it a line for each record: "record", key, and the event's `after`, `null` without one, `tombstone` without a value.
 *
 * Tables SETTINGS TOPIC RECORDS
 */
public class Tables {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.load(Files.newBufferedReader(Path.of(arguments[0]), StandardCharsets.UTF_8));
        CountDownLatch left = new CountDownLatch(Integer.parseInt(arguments[2]));
        CountDownLatch failed = new CountDownLatch(1);
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, GenericRecord> events = builder.stream(arguments[1]);
        events.toTable(Materialized.<String, GenericRecord, KeyValueStore<Bytes, byte[]>>as("rows"));
        // Counted here and not behind the table, whose cache passes on only the newest of what is close together.
        // A record is here after the table has it: children come in the order in which they were made.
        events.foreach((key, event) -> {
            Object after = event == null ? "tombstone" : event.get("after");
            System.out.println("record\t" + key + "\t" + (after instanceof GenericRecord ? "row" : after));
            left.countDown();
        });
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            failed.countDown();
            while (left.getCount() > 0) {
                left.countDown();
            }
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        if (!left.await(120, TimeUnit.SECONDS)) {
            System.err.println(left.getCount() + " records did not come, the client is " + streams.state());
        }
        boolean whole = left.getCount() == 0 && failed.getCount() > 0;
        if (whole) {
            ReadOnlyKeyValueStore<String, GenericRecord> rows =
                streams.store(StoreQueryParameters.fromNameAndType("rows", QueryableStoreTypes.keyValueStore()));
            try (KeyValueIterator<String, GenericRecord> all = rows.all()) {
                all.forEachRemaining(row ->
                    System.out.println("row\t" + row.key + "\t" + GenericData.get().toString(row.value.get("after"))));
            }
        }
        streams.close(java.time.Duration.ofSeconds(20));
        System.exit(whole ? 0 : 1);
    }
}
