import Alerts
import HTTPClient
import JSON
import TestSupport
import Testing
import Usage

@testable import Delivery

@Suite struct TemplateTests {
    @Test(arguments: [
        ("plain", "plain"), ("{{tenant}}: {{percent}} %", "acme: 92 %"),
        ("{{ budget }} {{limit}} {{spent}} {{remaining}}", "b $100.00 $92.10 $7.90"),
        ("{{user|nobody}}/{{user}}", "nobody/"), ("{{severity}} {{threshold}}", "warning 0.9"),
        ("{{period_end}}", "2026-12-01T00:00:00Z"), ("{{top}}", "user <u&1> $61.00"),
        ("{{title}} {{summary}}", "acme has used 92% of b $92.10 of $100.00 this month"),
        ("{ {{scope}} }", "{ tenant=acme }"), ("{{tags.team|none}}", "none"),
        ("{{link}}", "http://page/#/alerts/alr_1"), ("{{forecast}}", "$131"),
    ])
    func `fields stand where their names did`(_ text: String, _ expected: String) throws {
        #expect(try Template(text).render(sample()) == expected)
    }

    @Test(arguments: [
        ("{{tennant}}", "\"tennant\" is no field of an alert"), ("{{", "has a {{ without its }}"),
        ("a {{b", "has a {{ without its }}"), ("{{}}", "\"\" is no field"),
    ])
    func `mistakes are told`(_ text: String, _ expected: String) {
        #expect(throws: Template.Fault.self) { try Template(text) }
        do { _ = try Template(text) } catch { #expect(error.description.contains(expected)) }
    }

    @Test func `a receiver's words replace the built-in ones, and values stay values`() throws {
        var receiver = DeliveryHarness.slack("chat")
        receiver.wording.title = try Template("[{{tenant}}] {{title}}")
        receiver.wording.text = try Template("{{user|no user}}: {{summary}}")
        receiver.wording.runbook = try Template("https://wiki/{{kind}}?t={{tenant}}")
        let message = sample(tenant: "{{budget}} & Söhne").worded(for: receiver)
        #expect(message.title == "[{{budget}} & Söhne] {{budget}} & Söhne has used 92% of b")
        #expect(message.summary == "no user: $92.10 of $100.00 this month")
        #expect(
            message.runbook
                == "https://wiki/budget_threshold?t=%7B%7Bbudget%7D%7D%20%26%20S%C3%B6hne")
        let resolved = sample(status: .resolved).worded(for: receiver)
        #expect(resolved.title == "Resolved: [acme] acme has used 92% of b")
        #expect(resolved.summary.hasSuffix("It is over: the limit is now $200.00."))
    }

    @Test func `what is rendered has a bound`() throws {
        var receiver = DeliveryHarness.slack("chat")
        receiver.wording.title = try Template(String(repeating: "{{title}}", count: 100))
        receiver.wording.text = try Template(String(repeating: "{{title}}", count: 1000))
        let message = sample().worded(for: receiver)
        #expect(message.title.unicodeScalars.count == Template.titleMax)
        #expect(message.summary.unicodeScalars.count == Template.textMax)
    }
}
