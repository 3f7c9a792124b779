import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import net.fortuna.ical4j.data.CalendarBuilder;
import net.fortuna.ical4j.model.Calendar;
import net.fortuna.ical4j.model.Property;

/** Prints, for each file, what is wrong with its calendar by RFC 5545, 5546 and 7986, then its properties and those of its
 * events, in base64. */
public class ReadCalendars {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            Calendar calendar = new CalendarBuilder().build(Files.newInputStream(Path.of(file)));
            print("file", file);
            calendar.validate().getEntries().forEach(entry -> print("error", entry.toString()));
            calendar.getProperties().forEach(property -> print("VCALENDAR;", property));
            calendar.getComponents("VEVENT").forEach(
                event -> event.getProperties().forEach(property -> print("", property)));
        }
    }

    private static void print(String prefix, Property property) {
        print(prefix + property.getName(), property.getValue());
        property.getParameters().forEach(
            parameter -> print(prefix + property.getName() + ";" + parameter.getName(), parameter.getValue()));
    }

    private static void print(String name, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        System.out.println(name + " " + Base64.getEncoder().encodeToString(bytes));
    }
}
