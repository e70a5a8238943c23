import Alerts
import Foundation
import TestSupport
import Testing
import Usage

@testable import Delivery

/// Slack's own library reads what we send and checks it by the limits that it knows.
@Suite(.enabled(if: Peers.python != nil)) struct SlackSDKTests {
    /// Prints what is wrong with each payload, one line each; nothing when all is well.
    private static let program = """
        import json, sys
        from slack_sdk.models.attachments import BlockAttachment
        from slack_sdk.models.blocks import Block
        for number, line in enumerate(sys.stdin):
            payload = json.loads(line)
            try:
                if len(payload["text"]) > 40000: raise ValueError("text")
                if len(payload["attachments"]) > 100: raise ValueError("attachments")
                for attachment in payload["attachments"]:
                    blocks = [Block.parse(block) for block in attachment["blocks"]]
                    if None in blocks: raise ValueError("an unknown block")
                    if len(blocks) > 50: raise ValueError("more than 50 blocks")
                    for given, block in zip(attachment["blocks"], blocks):
                        block.validate_json()
                        if block.to_dict() != given: raise ValueError(f"{block.to_dict()} {given}")
                    BlockAttachment(blocks=blocks, color=attachment["color"]).to_dict()
            except Exception as error:
                print(number, repr(error)[:500])
        print("read", number + 1)
        """

    @Test func `every payload passes, with the longest names and every kind of text`() throws {
        let units = ["x", "é", "🙂", "<", "&", ">", "<!channel>", "\u{1}", "\n", "`*_~", "👩‍👩‍👧"]
        var payloads: [String] = []
        for unit in units {
            for count in [1, 30, 5000] {
                for status in [AlertStatus.firing, .resolved] {
                    let long = String(repeating: unit, count: count)
                    var message = sample(tenant: long, status: status, summary: long)
                    message.alert.budget?.name = long
                    message.alert.budget?.scope = (0..<12).map {
                        .init(dimension: "tags.\($0)", value: long)
                    }
                    message.top = (0..<6).map { _ in
                        TopSpender(dimension: "user", value: long, cost: NanoUSD(nanos: 1))
                    }
                    message.runbook =
                        "https://wiki/" + String(repeating: "y", count: min(count, 2900))
                    payloads.append(String(decoding: SlackMessage.body(message), as: UTF8.self))
                }
            }
        }
        let run = try ChildProcess.run(
            try #require(Peers.python), ["-c", Self.program],
            input: payloads.joined(separator: "\n") + "\n")
        #expect(run.output == "read \(payloads.count)\n", "\(run.errors)")
    }

    @Test func `a payload that Slack would refuse is noticed`() throws {
        let title = String(repeating: "x", count: 151)
        let bad = """
            {"text":"x","attachments":[{"color":"red","blocks":\
            [{"type":"header","text":{"type":"plain_text","text":"\(title)"}}]}]}
            """
        let run = try ChildProcess.run(
            try #require(Peers.python), ["-c", Self.program], input: bad + "\n")
        #expect(run.output.hasPrefix("0 SlackObjectFormationError"))
    }
}
