"""What a build says about itself: agreement, bias, votes, wins, funnel, cost and, where truth is known, accuracy."""
