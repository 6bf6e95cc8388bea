// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import Bus

@Suite struct InterruptLineTests {
  let recorder = InterruptRecorder()

  @Test func changesReachTheSinkAndPulsesAreEdges() {
    let line = InterruptLine(recorder, 4)
    line.raise()
    line.raise()
    #expect(recorder.isRaised(4) && recorder.edges[4] == 1)
    line.lower()
    line.pulse()
    #expect(!recorder.isRaised(4) && recorder.edges[4] == 2)
  }

  @Test func aJunctionIsHighWhileAnyLineIs() {
    let junction = InterruptJunction(recorder)
    let (first, second, other) = (junction.line(9), junction.line(9), junction.line(10))
    first.raise()
    second.raise()
    first.lower()
    #expect(recorder.isRaised(9) && !recorder.isRaised(10) && recorder.edges[9] == 1)
    second.lower()
    other.raise()
    #expect(!recorder.isRaised(9) && recorder.isRaised(10))
    junction.setInterruptLine(99, isRaised: true)
    junction.setInterruptLine(-1, isRaised: true)
    #expect(recorder.levels.count == 2)
  }
}
