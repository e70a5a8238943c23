import TestSupport
import Testing
import Usage

@testable import Access

@Suite struct BasicUsersTests {
    private let time = ManualTime()
    /// Of `U*U`.
    private let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

    private func control() -> AccessControl {
        var settings = AccessSettings(tokens: [
            AccessToken(Secret("first-token"), for: Principal(name: "app", role: .editor))
        ])
        settings.users = [BasicUser(name: "alice", hash: Secret(hash))]
        return AccessControl(settings: settings, time: time)
    }

    private func outcome(_ control: AccessControl, _ header: String?) -> String {
        do throws(AccessControl.Refusal) {
            let principal = try control.principal(authorization: header, address: "10.0.0.1")
            return "\(principal.name) \(principal.role)"
        } catch { return "\(error)" }
    }

    @Test func `P15 a user with the password is a viewer, a token keeps its role`() {
        let control = control()
        #expect(control.isNeeded && control.hasUsers)
        for _ in 0..<3 {
            // alice:U*U
            #expect(outcome(control, "Basic YWxpY2U6VSpV") == "alice viewer")
            // alice:wrong, bob:U*U
            #expect(outcome(control, "Basic YWxpY2U6d3Jvbmc=") == "unknown")
            #expect(outcome(control, "Basic Ym9iOlUqVQ==") == "unknown")
        }
        // x:first-token
        #expect(outcome(control, "Basic eDpmaXJzdC10b2tlbg==") == "app editor")
        #expect(outcome(control, "Bearer U*U") == "unknown")
        #expect(outcome(control, nil) == "missing")
    }

    @Test func `users alone close what was open`() {
        var settings = AccessSettings()
        settings.users = [BasicUser(name: "alice", hash: Secret(hash))]
        let control = AccessControl(settings: settings, time: time)
        #expect(control.isNeeded && outcome(control, nil) == "missing")
        control.configure(AccessSettings())
        #expect(!control.isNeeded && outcome(control, nil).hasPrefix("anonymous"))
    }

    @Test func `each password is checked once, and few at a time`() {
        var checks = PasswordChecks()
        let second: UInt64 = 1_000_000_000
        func ask(_ number: Int, _ now: UInt64) -> String {
            "\(checks.ask([UInt8(number)], now: now))"
        }
        for number in 0..<Int(PasswordChecks.burst) {
            #expect(ask(number, second) == "mustCheck")
        }
        #expect(ask(100, second) == "tooMany")
        checks.note([1], isGood: true)
        checks.note([2], isGood: false)
        #expect(ask(1, second) == "known(true)" && ask(2, second) == "known(false)")
        // Two more a second.
        #expect(ask(100, second * 3 / 2) == "mustCheck")
        #expect(ask(100, second * 3 / 2) == "tooMany")
        for number in 0..<PasswordChecks.knownMax {
            checks.note([0, UInt8(number / 256), UInt8(number % 256)], isGood: false)
        }
        #expect(ask(1, second * 10) == "known(true)" && ask(2, second * 10) == "mustCheck")
    }
}
