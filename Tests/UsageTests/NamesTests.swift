import TestSupport
import Testing
import Wire

@testable import Usage

@Suite struct NamesTests {
    @Test func `a text keeps its id while the table grows`() {
        let names = Names(hash: SeededHash(seed: 5))
        var ids: [String: NameID] = [:]
        for number in 0..<5000 { ids["name-\(number)"] = names.intern("name-\(number)") }
        #expect(Set(ids.values).count == 5000)
        for (text, id) in ids {
            #expect(names.intern(text) == id)
            #expect(names.find(text) == id)
            #expect(names.text(id) == text)
        }
        #expect(names.find("unheard of") == nil)
    }

    @Test func `nothing is id 0 and the fold name is id 1`() {
        let names = Names(hash: SeededHash(seed: 5))
        #expect(names.intern("") == 0)
        #expect(names.text(0) == "")
        #expect(names.intern("__other__") == NameTable.other)
        #expect(names.intern("first") == 2)
    }

    @Test func `a full table answers with the fold name and keeps what it has`() {
        let names = Names(hash: SeededHash(seed: 5), countMax: 3)
        let a = names.intern("a")
        let b = names.intern("b")
        #expect(names.intern("c") == NameTable.other)
        #expect(names.intern("a") == a && names.intern("b") == b)
        #expect(a != b && a != NameTable.other)
    }

    @Test func `hostile texts are told apart`() {
        let names = Names(hash: SeededHash(seed: 5))
        let texts = [
            "a\0", "a", "a\n", "\"", "\\", "é", "e\u{301}", String(repeating: "x", count: 300),
        ]
        let ids = texts.map { names.intern($0) }
        #expect(Set(ids).count == texts.count)
        #expect(ids.map { Array(names.text($0).utf8) } == texts.map { Array($0.utf8) })
    }
}

@Suite struct VocabularyTests {
    @Test func `facts share one word without touching each other`() {
        var event = CostEvent()
        for status in Status.allCases {
            for stage in Stage.allCases {
                for source in CostSource.allCases {
                    event.status = status
                    event.stage = stage
                    event.costSource = source
                    event.isComplete = source == .reported
                    #expect(event.status == status && event.stage == stage)
                    #expect(event.costSource == source && event.isComplete == (source == .reported))
                }
            }
        }
    }

    @Test func `words are those of the documentation`() {
        #expect(Status.words == ["ok", "error", "timeout", "cancelled", "rate_limited"])
        #expect(Stage.allCases.count == 9 && Stage(word: "quota_validation") == .quotaValidation)
        #expect(
            TokenKind.words == [
                "input", "cached_input", "cache_write", "output", "reasoning", "audio_input",
                "audio_output",
            ])
        #expect(Status(word: "OK") == nil)
    }

    @Test func `token kinds do not overlap`() {
        var tokens = TokenCounts()
        tokens.input = 1200
        tokens.cachedInput = 1000
        tokens.cacheWrite = 100
        tokens.audioInput = 50
        tokens.output = 80
        tokens.reasoning = 30
        tokens.audioOutput = 10
        let inputs: [TokenKind] = [.input, .cachedInput, .cacheWrite, .audioInput]
        #expect(inputs.map { tokens.disjoint($0) } == [50, 1000, 100, 50])
        #expect(tokens.disjoint(.output) == 40)
        // Cached audio is inside both parts.
        tokens.audioInput = 900
        #expect(tokens.disjoint(.input) == 0)
    }

    @Test func `dimensions are read by name and give legal labels`() {
        #expect(Dimension("tenant") == .tenant && Dimension("tags.team") == .tag("team"))
        #expect(Dimension("Tenant") == nil && Dimension("tags.") == nil && Dimension("") == nil)
        #expect(Dimension.tag("cost-center.é").labelName == "tag_cost_center__")
        #expect(!Dimension.conversation.isLabel && Dimension.stage.isLabel)
    }
}

@Suite struct ReceiptTests {
    @Test func `a receipt completes once, when the last batch has reported`() {
        nonisolated(unsafe) var outcomes: [Receipt.Outcome] = []
        let receipt = Receipt { outcomes.append($0) }
        receipt.expectBatch()
        receipt.expectBatch()
        receipt.settle(accepted: 3, duplicates: 1)
        receipt.close()
        #expect(outcomes.isEmpty)
        receipt.fail(.ledgerFull)
        #expect(outcomes.count == 1)
        #expect(outcomes[0].accepted == 3 && outcomes[0].duplicates == 1)
        #expect(outcomes[0].failure == .ledgerFull)
    }
}
