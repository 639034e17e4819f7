// Teams: the 256 threads of a workgroup in teams of TEAM neighbours, each with a row of its own.
//   team_sum, team_max: the join of the values of a team's threads; group_sum: of the whole workgroup. All threads call, all
//   get the result. Call them where all threads of the workgroup come by.
// Bindings: none. Rounding: a fixed tree, thread i with thread i + half. Owner: src/ops/rows.rs.

//#begin team
const TEAM = 16u;
//#end team
const TEAMS = 256u / TEAM;

var<workgroup> team_values: array<vec4<f32>, 256>;

fn team_sum(lane: u32, value: vec4<f32>) -> vec4<f32> {
    team_values[lane] = value;
    for (var half = TEAM / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane % TEAM < half) {
            team_values[lane] += team_values[lane + half];
        }
    }
    workgroupBarrier();
    let total = team_values[lane - lane % TEAM];
    workgroupBarrier(); // before the next value is put there
    return total;
}

fn team_max(lane: u32, value: f32) -> f32 {
    team_values[lane].x = value;
    for (var half = TEAM / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane % TEAM < half) {
            team_values[lane].x = max(team_values[lane].x, team_values[lane + half].x);
        }
    }
    workgroupBarrier();
    let top = team_values[lane - lane % TEAM].x;
    workgroupBarrier();
    return top;
}

fn group_sum(lane: u32, value: vec4<f32>) -> vec4<f32> {
    team_values[lane] = value;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            team_values[lane] += team_values[lane + half];
        }
    }
    workgroupBarrier();
    let total = team_values[0];
    workgroupBarrier();
    return total;
}
