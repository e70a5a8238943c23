import Foundation
import SQLite
import Store
import TestSupport
import Testing
import Usage

@testable import Ledger

/// What a change of `metrics.labels`, `metrics.max_series` or `metrics.top` does to what is stored.
@Suite struct LedgerSettingsTests {
    @Test func `new labels count the stored history anew`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        _ = harness.feed(seed: 9, batches: 3)
        let before = harness.sums()
        harness.stop()
        var settings = LedgerSettings()
        settings.labels = [.tenant, .model]
        let relabelled = try LedgerHarness(path: place.path, settings: settings)
        let after = relabelled.sums()
        func total(_ sums: [String: [Int64]], _ slot: Int) -> Int64 {
            sums.filter { $0.key.hasPrefix("usage:") }.reduce(0) { $0 + $1.value[slot] }
        }
        for slot in 0..<UsageSeries.Slot.shown {
            #expect(total(after, slot) == total(before, slot))
        }
        #expect(after.keys.contains("usage:t1,m1"))
        func others(_ sums: [String: [Int64]]) -> [String: [Int64]] {
            sums.filter { !$0.key.hasPrefix("usage:") && $0.key != "totals" }
        }
        #expect(difference(others(after), others(before)) == [])
        relabelled.stop()
        // And once more, now from the stored counters of the new labels.
        let third = try LedgerHarness(path: place.path, settings: settings)
        #expect(difference(third.sums(), after) == [])
        third.stop()
    }

    @Test func `a lower cap keeps what was shown`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        _ = harness.feed(seed: 10, batches: 2)
        let before = harness.sums()
        harness.stop()
        var settings = LedgerSettings()
        settings.maxSeries = 100
        let lower = try LedgerHarness(path: place.path, settings: settings)
        #expect(difference(lower.sums(), before) == [])
        lower.commit([lower.event("brand new", "m1", cost: 7)])
        #expect(lower.sums()["usage:brand new,,openai,m1"] == nil)
        lower.stop()
        let again = try LedgerHarness(path: place.path, settings: settings)
        #expect(difference(again.sums(), lower.sums()) == [])
        again.stop()
    }

    @Test func `a tag as a label keeps its name across restarts`() throws {
        let place = TemporaryDirectory()
        var settings = LedgerSettings()
        settings.labels = [.tenant, .tag("team")]
        let harness = try LedgerHarness(path: place.path, settings: settings)
        var event = harness.event("acme", "m", cost: 5)
        event.tags = harness.names.intern(#"{"team":"growth"}"#)
        harness.commit([event])
        harness.stop()
        let again = try LedgerHarness(path: place.path, settings: settings)
        again.commit([again.event("rival", "m", cost: 1)])
        let keys = again.sums().keys.filter { $0.hasPrefix("usage:") }.sorted()
        #expect(keys == ["usage:acme,growth", "usage:rival,"])
        let image = try again.crashImage()
        let third = try LedgerHarness(path: image.path, settings: settings)
        #expect(difference(third.sums(), again.sums()) == [])
        again.stop()
        third.stop()
    }

    @Test func `a tag that becomes a label keeps its name, also when no events follow`() throws {
        let place = TemporaryDirectory()
        let first = try LedgerHarness(path: place.path)
        var event = first.event("acme", "m", cost: 5)
        event.tags = first.names.intern(#"{"team":"growth"}"#)
        first.commit([event])
        first.stop()
        var settings = LedgerSettings()
        settings.labels = [.tenant, .tag("team")]
        try LedgerHarness(path: place.path, settings: settings).stop()
        let third = try LedgerHarness(path: place.path, settings: settings)
        third.commit([third.event("rival", "m", cost: 1)])
        let keys = third.sums().keys.filter { $0.hasPrefix("usage:") }.sorted()
        #expect(keys == ["usage:acme,growth", "usage:rival,"])
        third.stop()
    }

    @Test func `token kinds survive a change of labels and back`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        var audio = harness.event("a", "m", cost: 1)
        audio.tokens.input = 100
        audio.tokens.cachedInput = 80
        audio.tokens.audioInput = 50
        harness.commit([audio, harness.event("a", "m", cost: 1)])
        let before = harness.sums()
        harness.stop()
        for labels in [[Dimension.model], LedgerSettings().labels] {
            var settings = LedgerSettings()
            settings.labels = labels
            let changed = try LedgerHarness(path: place.path, settings: settings)
            if labels.count > 1 { #expect(difference(changed.sums(), before) == []) }
            changed.stop()
        }
    }

    @Test func `top spenders that come back know the history`() throws {
        let place = TemporaryDirectory()
        var silent = LedgerSettings()
        silent.top = []
        func spend(_ harness: LedgerHarness, _ cost: Int64) {
            var event = harness.event("a", "m", cost: cost)
            event.user = harness.names.intern("u")
            harness.commit([event])
        }
        for settings in [LedgerSettings(), silent, LedgerSettings()] {
            let harness = try LedgerHarness(path: place.path, settings: settings)
            spend(harness, 10)
            if settings.top.count > 0 {
                // Minutes of the time in between are not known any more, hours and days are.
                let sums = harness.sums()
                let total = try #require(sums["totals"]?[0])
                #expect(sums["ring:user:u"].map { Array($0.dropFirst()) } == [total, total])
            }
            harness.stop()
        }
    }
}
