// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import Bus

@Suite struct ClockTests {
  let clock = SteppedClock()

  @Test func timersFireInOrderAtTheirTime() {
    var log: [String] = []
    let first = clock.makeTimer { [clock] in log.append("first \(clock.now)") }
    let second = clock.makeTimer { [clock] in log.append("second \(clock.now)") }
    second.arm(at: 200)
    first.arm(at: 100)
    #expect(clock.nextDeadline == 100)
    clock.advance(by: 99)
    #expect(log.isEmpty && first.isArmed)
    clock.advance(by: 1)
    #expect(log == ["first 100"] && !first.isArmed)
    clock.advance(by: 1000)
    #expect(log == ["first 100", "second 200"])
    #expect(clock.now == 1100 && clock.nextDeadline == nil)
  }

  @Test func armingAgainMovesTheCallAndDisarmingTakesItBack() {
    var calls = 0
    let timer = clock.makeTimer { calls += 1 }
    timer.arm(at: 100)
    timer.arm(at: 300)
    clock.advance(by: 200)
    #expect(calls == 0)
    timer.disarm()
    timer.disarm()
    clock.advance(by: 200)
    #expect(calls == 0 && clock.nextDeadline == nil)
  }

  @Test func aHandlerMayArmItsTimerAgain() {
    var times: [UInt64] = []
    var timer: Clock.Timer?
    timer = clock.makeTimer { [clock] in
      times.append(clock.now)
      if times.count < 4 { timer?.arm(at: clock.now + 50) }
    }
    timer?.arm(at: 10)
    clock.advance(by: 1000)
    #expect(times == [10, 60, 110, 160])
    timer = nil
  }

  @Test func aHandlerThatAlwaysArmsThePastDoesNotHoldTheClockUp() {
    final class Counting: Clock {
      var calls = 0
    }
    let clock = Counting()
    var timer: Clock.Timer?
    timer = clock.makeTimer {
      clock.calls += 1
      timer?.arm(at: 0)
    }
    timer?.arm(at: 0)
    clock.fireTimers(dueBy: 100)
    #expect(clock.calls == 1)
    clock.fireTimers(dueBy: 100)
    #expect(clock.calls == 2)
    timer = nil
  }

  @Test func ownersHearOfTheEarliestDeadlineOnly() {
    final class Watching: Clock {
      var deadlines: [UInt64?] = []
      override func nextDeadlineChanged(to deadline: UInt64?) { deadlines.append(deadline) }
    }
    let clock = Watching()
    let (first, second) = (clock.makeTimer {}, clock.makeTimer {})
    first.arm(at: 100)
    second.arm(at: 200)
    first.disarm()
    second.disarm()
    #expect(clock.deadlines == [100, 200, nil])
  }

  @Test func aWallClockFollowsGuestTime() {
    let wall = VirtualWallClock(clock: clock, startSeconds: 1_000_000_000)
    clock.advance(by: 5)
    #expect(wall.nanosecondsSinceEpoch == 1_000_000_000_000_000_005)
  }
}
