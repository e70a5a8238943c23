import JSON
import Testing
import Usage
import Wire

@testable import Budgets

/// What a request for admission says, as `/v1/check` and `/v1/reservations` read it.
@Suite struct AdmissionFieldsTests {
    private func read(_ text: String) throws -> AdmissionFields {
        var reader = AdmissionReader()
        var body = Array(text.utf8)
        return try reader.read(&body)
    }

    private func fault(_ text: String) -> AdmissionFault? {
        var reader = AdmissionReader()
        var body = Array(text.utf8)
        do throws(AdmissionFault) {
            _ = try reader.read(&body)
            return nil
        } catch { return error }
    }

    @Test func `every field is read, whatever stands between`() throws {
        let fields = try read(
            #"""
            {"unknown":{"tenant":["x",{"y":1}]}, "tenant" : "acme","user":"u\n\"1\"","feature":null,
             "agent":"","model":"gpt-4o","conversation":"c-\u00e9","input_tokens":1200,
             "cached_input_tokens":200,"cache_write_tokens":-0,"max_output_tokens":400,
             "output_tokens":7,"cost_usd":"0.0420","id":"rsv_\u0031","expires_in_seconds":3600,
             "tags":{"team":"growth","area":"a\"b"}}
            """#)
        #expect(
            fields.body.text
                == #"{"tenant":"acme","user":"u\n\"1\"","conversation":"c-é","model":"gpt-4o","#
                + #""tags":{"area":"a\"b","team":"growth"}}"#)
        #expect(fields.id == "rsv_1" && fields.expirySeconds == 3600)
        #expect(fields.ignored == ["unknown"])
        #expect(fields.cost == NanoUSD(nanos: 42_000_000))
        #expect(fields.tokens.input == 1200 && fields.tokens.cachedInput == 200)
        #expect(fields.tokens.output == 400 && fields.tokens.cacheWrite == 0)
        let names = Names(hash: SeededHash(seed: 1))
        let (event, rows) = fields.event(names: names)
        #expect(names.text(event.tenant) == "acme" && names.text(event.user) == "u\n\"1\"")
        #expect(event.feature == 0 && event.agent == 0 && rows.string(event.conversation) == "c-é")
        #expect(rows.text.count == event.conversation.range.count)
        // What is kept of a reservation reads as the same dimensions again.
        var reader = AdmissionReader()
        var kept = fields.body
        #expect(try reader.read(&kept).body == fields.body)
    }

    @Test func `of two equal members the last one counts, and a key may be escaped`() throws {
        let fields = try read(
            #"{"tenant":5,"tenant":"a","ten\u0061nt":"b","user":"u","user":null,"tags":{"a":"b"},"tags":null}"#
        )
        #expect(fields.body.text == #"{"tenant":"b"}"#)
        #expect(fields.isTenant("b") && !fields.isTenant("bb") && !fields.isTenant(""))
    }

    @Test func `members that are none are told, each once, cut off, and not without end`() throws {
        let long = String(repeating: "n", count: UnknownMembers.nameBytesMax)
        #expect(
            try read(#"{"modl":1,"tenant":"a","modl":2,"\#(long)x":null}"#).ignored
                == ["modl", long])
        let many = (0...UnknownMembers.namesMax).map { #""x\#($0)":0"# }.joined(separator: ",")
        #expect(
            try read("{\(many)}").ignored == (0..<UnknownMembers.namesMax).map { "x\($0)" })
        #expect(try read(#"{"tenant":"a","tags":{"modl":"b"}}"#).ignored.isEmpty)
    }

    @Test func `a tenant is replaced or added in front`() throws {
        var fields = try read(#"{"user":"u"}"#)
        #expect(!fields.hasTenant)
        fields.setTenant("acme")
        #expect(fields.hasTenant && fields.body.text == #"{"tenant":"acme","user":"u"}"#)
        #expect(try read("").body.text == "{}")
    }

    @Test(
        arguments: [
            (#"{"model":5,"tenant":[]}"#, "tenant"),
            (#"{"expires_in_seconds":0,"input_tokens":1.0}"#, "input_tokens"),
            (#"{"input_tokens":4294967296}"#, "input_tokens"),
            (#"{"output_tokens":"5"}"#, "output_tokens"),
            (
                #"{"input_tokens":5,"cached_input_tokens":3,"cache_write_tokens":3}"#,
                "cached_input_tokens"
            ),
            (#"{"cost_usd":-1}"#, "cost_usd"), (#"{"cost_usd":1000000.1}"#, "cost_usd"),
            (#"{"cost_usd":true}"#, "cost_usd"),
            (#"{"expires_in_seconds":3601}"#, "expires_in_seconds"),
            (#"{"tags":{"a":1}}"#, "tags"), (#"{"tags":[]}"#, "tags"),
            (#"{"user":"\#(String(repeating: "x", count: 257))"}"#, "user"),
        ])
    func `what is out of bounds names its field`(_ text: String, _ field: String) {
        guard case .field(let name, _) = fault(text) else {
            Issue.record("\(text) is taken")
            return
        }
        #expect(name == field)
    }

    @Test func `the longest text and the largest numbers are taken`() throws {
        let text = String(repeating: "x", count: 256)
        let fields = try read(
            #"{"user":"\#(text)","input_tokens":4294967295,"cost_usd":1000000}"#)
        #expect(fields.body.text == #"{"user":"\#(text)"}"#)
        #expect(fields.tokens.input == .max && fields.cost == Limits.costMax)
    }

    @Test(
        arguments: [
            #"{"tenant":"a""#, #"{"tenant":"a",}"#, #"{"tenant":"a"} x"#, #"{"x":[1,2}"#, "[1,",
            #"{"x":01}"#, #"{"x":"\q"}"#, #"{"\q":1}"#, #"{"tenant":"\ud800"}"#, #"{"tenant" "a"}"#,
            #"{"tenant":tru}"#, "{", "{]", #"{"x":\#(String(repeating: "[", count: 70))"#,
        ])
    func `a broken text is told as a whole reading tells it`(_ text: String) {
        do throws(JSONFault) {
            _ = try JSONValue.read(Array(text.utf8))
            Issue.record("\(text) is read")
        } catch {
            #expect(fault(text) == .text(error))
        }
    }

    @Test(arguments: ["[]", "5", #""x""#, "null"])
    func `anything but an object is refused`(_ text: String) {
        #expect(fault(text) == .notAnObject)
    }
}
